// A picture of cells that tells the value of the one under the pointer; what it is given is made by butf/figures/hover_map.py.
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".drawing")
  if (box.shown !== data.html) box.innerHTML = box.shown = data.html
  const figure = box.querySelector("figure")
  const [picture, told, button] = figure.querySelectorAll("img, output, button")
  let codes = null
  const read = () => new Uint16Array(Uint8Array.from(atob(data.codes), (sign) => sign.charCodeAt(0)).buffer)

  const words = (code) => {
    if (code === data.nothing) return "not known"
    if (data.words.length) return data.words[code]
    const value = data.low + data.step * code
    const sign = data.signed && value > 0 ? "+" : ""
    return `${sign}${Number(value.toPrecision(3))} ${data.unit}`.trim()
  }

  picture.onpointermove = picture.onpointerdown = (event) => {
    codes ??= read()
    const shown = picture.getBoundingClientRect()
    const rows = codes.length / data.columns
    const at = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)))
    const column = at((event.clientX - shown.left) / shown.width, data.columns)
    const row = at((event.clientY - shown.top) / shown.height, rows)
    const where = data.named ? `${data.named[0]} ${row + 1}, ${data.named[1]} ${column + 1}: ` : ""
    told.textContent = where + words(codes[row * data.columns + column])
    told.style.setProperty("--x", (column + 0.5) / data.columns)
    told.style.setProperty("--y", (row + 0.5) / rows)
    told.style.setProperty("--wide", `${told.offsetWidth}px`)
    told.classList.add("shown")
  }
  picture.onpointerleave = () => told.classList.remove("shown")
  button.hidden = !figure.requestFullscreen
  button.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen())
}
