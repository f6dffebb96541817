// Three points under the triplet loss (slide equation 1). The same formula as butf.losses.triplet_loss, here so that
// the picture follows the hand at once; tests/test_browser_learn.py compares both.
const KEYS = ["q", "p", "n"]
const NAMES = { q: "query q", p: "positive q⁺", n: "negative q⁻" }
const RATE = 0.06, MOST_STEPS = 200, EPSILON = 1e-12, HALF_WIDTH = 1.9, HALF_HEIGHT = 1.25
const SVG = "http://www.w3.org/2000/svg"

const minus = (a, b) => [a[0] - b[0], a[1] - b[1]]
const square = (v) => v[0] * v[0] + v[1] * v[1]

function distance(v, squared) {
  return squared ? square(v) : Math.sqrt(Math.max(square(v), EPSILON))
}

// The slope of the distance of two points along their difference v.
function slope(v, squared) {
  if (squared) return [2 * v[0], 2 * v[1]]
  const length = Math.sqrt(square(v))
  return square(v) > EPSILON ? [v[0] / length, v[1] / length] : [0, 0]
}

function triplet({ q, p, n }, margin, squared) {
  const near = distance(minus(q, p), squared), far = distance(minus(q, n), squared)
  const loss = Math.max(near - far + margin, 0)
  const toNear = slope(minus(q, p), squared), toFar = slope(minus(q, n), squared)
  const active = loss > 0 ? 1 : 0
  const gradient = { q: minus(toNear, toFar), p: minus([0, 0], toNear), n: toFar }
  for (const key of KEYS) gradient[key] = gradient[key].map((part) => part * active)
  return { near, far, loss, gradient }
}

function draw(root, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  if (text) element.textContent = text
  root.append(element)
  return element
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".triplets")
  if (!root || root.dataset.ready) return
  root.dataset.ready = "yes"
  const find = (name) => root.querySelector(name)
  const plane = find(".plane"), colours = { q: "var(--ink)", p: data.right, n: data.wrong }
  const state = { squared: true, margin: data.margin, points: {}, losses: [], start: "", timer: 0 }
  let size = { width: 0, height: 0, unit: 1 }

  const toScreen = ([x, y]) => [size.width / 2 + x * size.unit, size.height / 2 - y * size.unit]
  const clamp = (value, most) => Math.max(-most, Math.min(most, value))
  const inside = ([x, y]) => [
    clamp(x, size.width / 2 / size.unit - 0.05), clamp(y, size.height / 2 / size.unit - 0.05),
  ]

  function restart() {
    clearInterval(state.timer)
    state.timer = 0
    state.losses = [triplet(state.points, state.margin, state.squared).loss]
  }

  function begin(name) {
    state.start = name
    state.points = Object.fromEntries(KEYS.map((key, i) => [key, [...data.starts[name][i]]]))
    restart()
    show()
  }

  function move(key, to) {
    state.points[key] = inside(to)
    state.start = ""
    restart()
    show()
  }

  function step() {
    const { gradient, loss } = triplet(state.points, state.margin, state.squared)
    if (loss === 0) return false
    for (const key of KEYS) state.points[key] = state.points[key].map((at, i) => at - RATE * gradient[key][i])
    state.losses.push(triplet(state.points, state.margin, state.squared).loss)
    return true
  }

  function run() {
    clearInterval(state.timer)
    const more = () => state.losses.length <= MOST_STEPS && step()
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      while (more());
      return show()
    }
    state.timer = setInterval(() => {
      if (!root.isConnected || !more()) clearInterval(state.timer)
      show()
    }, 90)
  }

  function measure() {
    const width = plane.clientWidth
    if (!width) return
    const height = Math.max(300, Math.min(0.62 * width, 560))
    size = { width, height, unit: Math.min(width / 2 / HALF_WIDTH, height / 2 / HALF_HEIGHT) }
    plane.setAttribute("viewBox", `0 0 ${width} ${height}`)
    plane.style.height = `${height}px`
    show()
  }

  // Rings around the query: through the positive, and a margin farther, where the negative is far enough.
  function rings(near) {
    const [x, y] = toScreen(state.points.q)
    const radius = (value) => Math.max(0, state.squared ? Math.sqrt(value) : value) * size.unit
    const inner = radius(near), outer = radius(near + state.margin), wide = outer - inner
    set(".ring", { cx: x, cy: y, r: (inner + outer) / 2, "stroke-width": wide })
    set(".near", { cx: x, cy: y, r: inner })
    set(".far", { cx: x, cy: y, r: outer })
    set(".ring-name", { x, y: Math.max(16, y - outer - 7) })
  }

  function set(name, attributes) {
    for (const [key, value] of Object.entries(attributes)) find(name).setAttribute(key, value)
  }

  function show() {
    const { near, far, loss, gradient } = triplet(state.points, state.margin, state.squared)
    rings(near)
    for (const key of KEYS) {
      const [x, y] = toScreen(state.points[key])
      set(`.dot-${key}`, { transform: `translate(${x} ${y})`, "aria-label": words(key) })
      const [dx, dy] = gradient[key].map((part) => part * 0.2 * size.unit)
      const long = Math.hypot(dx, dy)
      set(`.pull-${key}`, { d: long < 2 ? "" : arrow(x, y, -dx / long, dy / long, long + 24) })
    }
    for (const key of ["p", "n"]) {
      const [a, b] = [toScreen(state.points.q), toScreen(state.points[key])]
      set(`.line-${key}`, { x1: a[0], y1: a[1], x2: b[0], y2: b[1] })
      set(`.length-${key}`, beside(a, b, key === "p" ? toScreen(state.points.n) : [a[0], 0]))
      find(`.length-${key}`).textContent = (key === "p" ? near : far).toFixed(2)
    }
    tell(near, far, loss)
    Object.assign(root.dataset, {
      loss, near, far, margin: state.margin, squared: state.squared, steps: state.losses.length - 1,
      points: JSON.stringify(KEYS.map((key) => state.points[key])),
      gradient: JSON.stringify(KEYS.map((key) => gradient[key])),
    })
  }

  // Beside the middle of the line from a to b, on the side of c: away from the query's own arrow and name.
  function beside(a, b, c) {
    const turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    const long = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1, side = turn > 0 ? -1 : 1
    const [x, y] = [(side * (b[1] - a[1])) / long, (-side * (b[0] - a[0])) / long]
    return { x: (a[0] + b[0]) / 2 + 26 * x, y: (a[1] + b[1]) / 2 + 20 * y + 6 }
  }

  function words(key) {
    const [x, y] = state.points[key].map((at) => at.toFixed(2))
    return `${NAMES[key]} at ${x}, ${y}; move it with the arrow keys`
  }

  function arrow(x, y, right, down, long) {
    const tip = [x + right * long, y + down * long], back = [tip[0] - 11 * right, tip[1] - 11 * down]
    const wing = (side) => `${back[0] - side * 6 * down} ${back[1] + side * 6 * right}`
    return `M${x} ${y}L${back[0]} ${back[1]}M${tip[0]} ${tip[1]}L${wing(1)}L${wing(-1)}Z`
  }

  function tell(near, far, loss) {
    const [a, b, m, l] = [near, far, state.margin, loss].map((value) => value.toFixed(2))
    find(".sum").innerHTML = `max(<i class="p">${a}</i> − <i class="n">${b}</i> + ${m}, 0) = <b>${l}</b>`
    find(".verdict").textContent = loss === 0
      ? "Easy: the negative lies outside the ring. The loss is zero, nothing moves."
      : far < near
        ? "Hard: the negative is nearer than the positive."
        : "Semi-hard: the negative is farther, but by less than the margin."
    find(".margin-value").textContent = m
    find(".margin").value = state.margin
    const count = state.losses.length - 1
    find(".steps").textContent = `${count} step${count === 1 ? "" : "s"}, loss ${l}`
    find(".step").disabled = find(".run").disabled = loss === 0
    for (const button of root.querySelectorAll("[data-squared]")) {
      button.setAttribute("aria-pressed", String(state.squared) === button.dataset.squared)
    }
    for (const button of find(".starts").children) {
      button.setAttribute("aria-pressed", button.dataset.start === state.start)
    }
    history()
  }

  function history() {
    const most = Math.max(...state.losses, 0.01), last = Math.max(state.losses.length - 1, 10)
    const points = state.losses.map((loss, i) => `${(6 + (288 * i) / last).toFixed(1)},${(82 - (74 * loss) / most).toFixed(1)}`)
    set(".curve", { points: points.join(" ") })
    const [x, y] = points.at(-1).split(",")
    set(".now", { cx: x, cy: y })
  }

  function furnish() {
    for (const name of ["ring", "near", "far"]) draw(plane, "circle", { class: name })
    draw(plane, "text", { class: "ring-name" }, "margin λ")
    for (const key of ["p", "n"]) {
      draw(plane, "line", { class: `line-${key}`, stroke: colours[key] })
      draw(plane, "text", { class: `length length-${key}`, fill: colours[key] })
    }
    for (const key of KEYS) handle(key)
    for (const key of KEYS) draw(plane, "path", { class: `pull pull-${key}` })
    draw(find(".history"), "line", { class: "axis", x1: 0, x2: 300, y1: 82, y2: 82 })
    draw(find(".history"), "polyline", { class: "curve" })
    draw(find(".history"), "circle", { class: "now", r: 4 })
    for (const name of Object.keys(data.starts)) {
      const button = document.createElement("button")
      button.textContent = name
      button.dataset.start = name
      button.onclick = () => begin(name)
      find(".starts").append(button)
    }
  }

  function handle(key) {
    const dot = draw(plane, "g", { class: `dot dot-${key}`, tabindex: 0, role: "button" })
    draw(dot, "circle", { class: "grip", r: 26 })
    draw(dot, "circle", { class: "disc", r: 13, fill: colours[key] })
    draw(dot, "text", { class: "name", y: 38 }, NAMES[key])
    dot.onpointerdown = (event) => {
      event.preventDefault()
      dot.focus()
      dot.setPointerCapture(event.pointerId)
    }
    dot.onpointermove = (event) => {
      if (!dot.hasPointerCapture(event.pointerId)) return
      const box = plane.getBoundingClientRect()
      const [x, y] = [event.clientX - box.left - box.width / 2, box.top + box.height / 2 - event.clientY]
      move(key, [x / size.unit, y / size.unit])
    }
    dot.onkeydown = (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
      if (!way) return
      event.preventDefault()
      event.stopPropagation()
      const [x, y] = state.points[key]
      move(key, [x + 0.05 * way[0], y + 0.05 * way[1]])
    }
  }

  furnish()
  find(".margin").oninput = (event) => {
    state.margin = Number(event.target.value)
    restart()
    show()
  }
  for (const button of root.querySelectorAll("[data-squared]")) {
    button.onclick = () => {
      state.squared = button.dataset.squared === "true"
      restart()
      show()
    }
  }
  find(".step").onclick = () => {
    clearInterval(state.timer)
    step()
    show()
  }
  find(".run").onclick = run
  begin(Object.keys(data.starts)[0])
  const watch = new ResizeObserver(measure)
  watch.observe(plane)
  measure()
}
