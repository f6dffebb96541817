"""How a frame's dense map came about from its lidar points, computed when it is asked for. Part of the Data page."""

import streamlit as st

from butf import lidar_views
from butf.dataset.frames import Frames
from butf.figures.previews import legend_html
from butf.figures.samples import FULL_COLOUR, tiles_html
from pages import data_loading, shared

TITLE = "How the dense map came about"
STEPS = (
    "A lidar's points fall into the picture, those that the camera cannot see are taken out, and the gaps are filled "
    "with the picture as guide. It is computed when you turn it on, in a second or two."
)
POINTING = "Point at a picture to find the same place in all of them; press to look closer, and again to step back."
ERRORS = f"Error: blue where the dense depth is too near, orange where too far, full colour from {FULL_COLOUR:.0%}."
LINKED_JS = """
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".linked")
  const buttons = () => [...box.querySelectorAll("button")]
  const press = () => buttons().forEach((b) => b.setAttribute("aria-pressed", String(box.classList.contains("near"))))
  if (box.shown !== data.html) {
    const held = buttons().indexOf(document.activeElement)
    box.innerHTML = box.shown = data.html
    if (held >= 0) buttons()[held]?.focus({ preventScroll: true })
    press()
  }
  const point = (event) => {
    const button = event.target.closest("button")
    box.classList.toggle("pointed", Boolean(button))
    if (!button) return
    const seen = button.getBoundingClientRect()
    box.style.setProperty("--x", `${100 * (event.clientX - seen.left) / seen.width}%`)
    box.style.setProperty("--y", `${100 * (event.clientY - seen.top) / seen.height}%`)
  }
  box.onpointermove = point
  box.onpointerleave = () => box.classList.remove("pointed")
  box.onclick = (event) => {
    if (!event.target.closest("button")) return
    if (event.detail) point(event)
    box.classList.toggle("near")
    press()
  }
}
"""

_linked = st.components.v2.component(
    "butf_linked", html='<div class="linked"></div>', js=LINKED_JS, isolate_styles=False
)


def draw(frames: Frames, i: int) -> None:
    """The section for a frame that has points, nothing for another."""
    if not lidar_views.has_points(frames, i):
        return
    st.subheader(TITLE, anchor=False)
    shown = st.toggle("Show it", key="origin", bind="query-params")
    if not shown:
        st.caption(STEPS)
        return
    with shared.told_plainly():
        made = data_loading.origin_of(frames, i)
        if made is None:
            st.caption(f"No point fell into {frames.frame[i]}.")
            return
        _linked(data={"html": tiles_html(made.tiles, made.proportion)}, key="linked")
        st.html(f'<div class="previews">{legend_html("depth", made.scale)}</div>')
        errors = f" {ERRORS}" if any(tile.title == "Error" for tile in made.tiles) else ""
        st.caption(f"{POINTING}{errors}")
