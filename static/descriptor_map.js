// Descriptors in the plane: dots to point at, to click and to walk through with the arrow keys. What is drawn comes
// from butf/figures/descriptor_map.py.
const REACH = 14, DOT = 3.6, MARGIN = 14, UNITS = 1000, ZOOM = 1.6
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

const SHAPES = {
  dot: (c, x, y, r) => c.arc(x, y, 0.7 * r, 0, 7),
  square: (c, x, y, r) => c.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r),
  diamond: (c, x, y, r) => polygon(c, x, y, [[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]]),
  triangle: (c, x, y, r) => polygon(c, x, y, [[0, -1.2 * r], [1.15 * r, 0.9 * r], [-1.15 * r, 0.9 * r]]),
  down: (c, x, y, r) => polygon(c, x, y, [[0, 1.2 * r], [1.15 * r, -0.9 * r], [-1.15 * r, -0.9 * r]]),
  cross: (c, x, y, r) => { c.rect(x - 1.2 * r, y - 0.4 * r, 2.4 * r, 0.8 * r); c.rect(x - 0.4 * r, y - 1.2 * r, 0.8 * r, 2.4 * r) },
  x: (c, x, y, r) => polygon(c, x, y, [[0, -0.45], [0.65, -1.1], [1.1, -0.65], [0.45, 0], [1.1, 0.65], [0.65, 1.1],
    [0, 0.45], [-0.65, 1.1], [-1.1, 0.65], [-0.45, 0], [-1.1, -0.65], [-0.65, -1.1]].map(([dx, dy]) => [r * dx, r * dy])),
  star: (c, x, y, r) => polygon(c, x, y, Array.from({ length: 10 }, (_, k) => {
    const far = k % 2 ? 0.55 * r : 1.35 * r
    return [far * Math.sin(k * Math.PI / 5), -far * Math.cos(k * Math.PI / 5)]
  })),
  ring: (c, x, y, r) => { c.arc(x, y, r, 0, 7); c.moveTo(x + 0.5 * r, y); c.arc(x, y, 0.5 * r, 7, 0, true) },
}

function polygon(c, x, y, corners) {
  corners.forEach(([dx, dy], k) => (k ? c.lineTo(x + dx, y + dy) : c.moveTo(x + dx, y + dy)))
  c.closePath()
}

function mark(c, symbol, x, y, r, colour) {
  c.beginPath()
  SHAPES[symbol](c, x, y, r)
  c.fillStyle = colour
  c.fill()
}

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

// A canvas as sharp as the screen; its context is in CSS pixels.
function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const context = canvas.getContext("2d")
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  return context
}

function metres(value) {
  return value < 1 ? `${value.toFixed(2)} m` : value < 10 ? `${value.toFixed(1)} m` : `${value.toFixed(0)} m`
}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".dmap")
  const kept = (root.kept ||= { hidden: new Set(), sheet: null, uri: null })
  if (kept.uri !== data.sprite.uri) {
    kept.uri = data.sprite.uri
    kept.sheet = new Image()
    kept.sheet.src = data.sprite.uri
  }
  const legend = root.querySelector(".dmap-legend"), panels = root.querySelector(".dmap-panels")
  const card = root.querySelector(".dmap-card"), said = root.querySelector(".unseen")
  const byPlace = data.colour === "place"
  const state = { at: null, panel: 0, pinned: false }
  const visible = (i) => !kept.hidden.has(data.groups[data.group[i]].name)
  const colour = (i) => (byPlace ? data.place[i] : data.groups[data.group[i]].colour)
  const order = data.names.map((_, i) => i).sort((a, b) => data.group[a] - data.group[b])
  const link = (i) => data.groups[data.group[i]].name === "database" ? null
    : `${data.explore}&condition=${encodeURIComponent(data.condition[i])}&query=${encodeURIComponent(data.names[i].split("/").pop())}`

  function words(i, panel) {
    const near = data.panels[panel].near[i]
    return `${data.names[i]}, ${data.groups[data.group[i]].name}; nearest in this drawing: ${data.names[near]}, `
      + `${metres(data.panels[panel].metres[i])} away on the ground`
  }

  function place(panel) {
    panel.width = panel.canvas.clientWidth
    panel.height = panel.canvas.clientHeight
    const spans = [0, 1].map((axis) => Math.max(1, 2 * Math.max(...panel.points.map((at) => Math.abs(at[axis] - UNITS / 2)))))
    const scale = Math.min((panel.width - 2 * MARGIN) / spans[0], (panel.height - 2 * MARGIN) / spans[1])
    panel.xy = panel.points.map(([x, y]) => [panel.width / 2 + scale * (x - UNITS / 2), panel.height / 2 - scale * (y - UNITS / 2)])
  }

  function draw(panel) {
    const context = sharp(panel.canvas, panel.width, panel.height)
    context.globalAlpha = state.at === null ? 0.85 : 0.5
    for (const i of order) {
      if (visible(i)) mark(context, data.groups[data.group[i]].symbol, ...panel.xy[i], DOT, colour(i))
    }
    if (state.at === null) return
    context.globalAlpha = 1
    const near = panel.near[state.at], ink = getComputedStyle(root).color
    context.strokeStyle = ink
    context.lineWidth = 1.5
    context.beginPath()
    context.moveTo(...panel.xy[state.at])
    context.lineTo(...panel.xy[near])
    context.stroke()
    for (const [i, size] of [[near, 1.3], [state.at, 2]]) {
      mark(context, data.groups[data.group[i]].symbol, ...panel.xy[i], DOT * size, colour(i))
      context.beginPath()
      context.arc(...panel.xy[i], DOT * size + 3.5, 0, 7)
      context.stroke()
    }
  }

  function drawPlan() {
    const canvas = root.querySelector(".dmap-plan canvas")
    if (!canvas) return
    const side = canvas.clientWidth, context = sharp(canvas, side, side)
    data.plan.forEach(([x, y], i) => {
      context.beginPath()
      context.arc(4 + (x / UNITS) * (side - 8), 4 + (1 - y / UNITS) * (side - 8), i === state.at ? 5 : 2, 0, 7)
      context.fillStyle = i === state.at ? getComputedStyle(root).color : data.place[i]
      context.fill()
    })
  }

  function thumbnail(i, label) {
    const figure = make("figure"), canvas = make("canvas"), { width, height, columns } = data.sprite
    canvas.width = width * ZOOM
    canvas.height = height * ZOOM
    canvas.setAttribute("role", "img")
    canvas.setAttribute("aria-label", `${label}: ${data.names[i]}`)
    const paint = () => canvas.getContext("2d").drawImage(
      kept.sheet, width * (i % columns), height * Math.floor(i / columns), width, height, 0, 0, canvas.width, canvas.height)
    if (kept.sheet.complete) paint()
    else kept.sheet.addEventListener("load", paint, { once: true })
    figure.append(canvas, make("figcaption", "", label))
    return figure
  }

  function show(i, panel, pinned = false) {
    Object.assign(state, { at: i, panel, pinned })
    all.forEach(draw)
    drawPlan()
    card.hidden = i === null
    card.classList.toggle("pinned", pinned)
    if (i === null) { said.textContent = ""; return }
    const near = all[panel].near[i], pictures = make("div", "dmap-pictures")
    pictures.append(thumbnail(i, data.groups[data.group[i]].name), thumbnail(near, `nearest here: ${data.groups[data.group[near]].name}`))
    const text = make("p"), away = make("p", "", `${data.names[near]}: ${metres(all[panel].metres[i])} away on the ground`)
    text.append(make("b", "", data.names[i]))
    card.replaceChildren(pictures, text, away)
    const address = link(i)
    if (address) {
      const anchor = make("a", "", pinned ? "Open on Explore" : "click, then open on Explore")
      anchor.href = address
      card.append(anchor)
    }
    said.textContent = words(i, panel)
    const box = root.getBoundingClientRect(), own = all[panel].canvas.getBoundingClientRect()
    const x = own.left - box.left + all[panel].xy[i][0], y = own.top - box.top + all[panel].xy[i][1]
    const left = x + 16 + card.offsetWidth > box.width ? x - 16 - card.offsetWidth : x + 16
    card.style.left = `${Math.max(0, Math.min(left, box.width - card.offsetWidth))}px`
    card.style.top = `${Math.max(0, Math.min(y + 16, box.height - card.offsetHeight))}px`
  }

  function hit(panel, event) {
    const box = panel.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top
    let best = null, least = REACH
    panel.xy.forEach(([px, py], i) => {
      const gap = Math.hypot(px - x, py - y)
      if (gap < least && visible(i)) [best, least] = [i, gap]
    })
    return best
  }

  // The nearest point that lies more in that direction than across it.
  function next(panel, from, [dx, dy]) {
    const [x, y] = panel.xy[from]
    let best = from, least = Infinity
    panel.xy.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx)
      if (i === from || !visible(i) || along <= 0 || across > along) return
      const cost = along + 2 * across
      if (cost < least) [best, least] = [i, cost]
    })
    return best
  }

  function key(panel, number, event) {
    if (event.key === "Escape") { show(null, number); return }
    if (event.key === "Enter" && state.at !== null && link(state.at)) { window.location.href = link(state.at); return }
    if (!WAYS[event.key]) return
    event.preventDefault()
    event.stopPropagation()
    const first = order.find(visible)
    if (first === undefined) return
    show(state.at === null || !visible(state.at) ? first : next(panel, state.at, WAYS[event.key]), number, true)
  }

  function panelOf(entry, number) {
    const section = make("section"), heading = make("h3", "panel", `${entry.model} `), canvas = make("canvas", "dmap-plot")
    heading.append(make("small", "", entry.note))
    heading.style.setProperty("--model", entry.colour)
    canvas.tabIndex = 0
    canvas.setAttribute("role", "application")
    canvas.setAttribute("aria-label", `Descriptors of ${entry.model}, ${data.names.length} pictures by ${data.method}. `
      + "Arrow keys walk from point to point, Enter opens a query on Explore, Escape lets go.")
    section.append(heading, canvas)
    const panel = { ...entry, canvas }
    canvas.addEventListener("pointermove", (event) => { if (!state.pinned && event.pointerType === "mouse") point(panel, number, event) })
    canvas.addEventListener("pointerleave", () => { if (!state.pinned && state.at !== null) show(null, number) })
    canvas.addEventListener("click", (event) => { const i = hit(panel, event); show(i, number, i !== null) })
    canvas.addEventListener("keydown", (event) => key(panel, number, event))
    panels.append(section)
    return panel
  }

  function point(panel, number, event) {
    const i = hit(panel, event)
    if (i !== state.at || number !== state.panel) show(i, number)
  }

  function legendItem(group) {
    const item = make("li"), button = make("button"), swatch = make("canvas")
    mark(sharp(swatch, 14, 14), group.symbol, 7, 7, 4.6, byPlace ? "#808a94" : group.colour)
    button.type = "button"
    button.setAttribute("aria-pressed", String(!kept.hidden.has(group.name)))
    button.append(swatch, make("span", "", group.name), make("small", "", String(group.count)))
    button.addEventListener("click", () => {
      if (!kept.hidden.delete(group.name)) kept.hidden.add(group.name)
      button.setAttribute("aria-pressed", String(!kept.hidden.has(group.name)))
      show(null, 0)
    })
    item.append(button)
    return item
  }

  panels.replaceChildren()
  legend.replaceChildren(...data.groups.map(legendItem))
  root.querySelector(".dmap-plan")?.remove()
  if (byPlace) {
    const plan = make("figure", "dmap-plan"), canvas = make("canvas")
    canvas.setAttribute("role", "img")
    canvas.setAttribute("aria-label", "Plan of the pictures, north up, in the colours of their places")
    plan.append(canvas, make("figcaption", "", "Where each colour lies, north up"))
    root.querySelector(".dmap-head").append(plan)
  }
  const all = data.panels.map(panelOf)
  card.hidden = true
  const redraw = () => { all.forEach((panel) => { place(panel); draw(panel) }); drawPlan() }
  const watch = new ResizeObserver(redraw)
  watch.observe(panels)
  redraw()
  return () => watch.disconnect()
}
