"""Small components of our own: a gallery to pick from, side maps that tell their values, a swipe, a drawing."""

from collections.abc import Callable
from typing import Literal

import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from butf.closeup import Swipe
from butf.figures.gallery import data_uri, heading_html, thumbnail
from butf.figures.hover_map import HoverMap
from butf.figures.still import still_html
from butf.files import REPO
from butf.views import Panel
from pages import waiting

GALLERY_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".gallery")
  if (box.shown !== data.html) {
    const held = box.contains(document.activeElement) && document.activeElement.dataset.pick
    box.innerHTML = box.shown = data.html
    if (held) box.querySelector(`[data-pick="${CSS.escape(held)}"]`)?.focus({ preventScroll: true })
  }
  box.onclick = (event) => {
    const button = event.target.closest("[data-pick]")
    if (button) setTriggerValue("picked", button.dataset.pick)
  }
}
"""
SWIPE_HTML = """
<figure class="swipe"><img class="under"><img class="over"><span class="edge" aria-hidden="true"></span>
<input type="range" min="0" max="100" value="50" step="0.5"></figure>
"""
SWIPE_JS = """
export default function ({ data, parentElement }) {
  const [figure] = parentElement.getElementsByClassName("swipe")
  const [under, over] = figure.querySelectorAll("img")
  const range = figure.querySelector("input")
  const show = (image, source, words) => {
    if (image.src !== source) image.src = source
    image.alt = words
  }
  show(under, data.side, data.title)
  show(over, data.picture, "The photograph")
  range.setAttribute("aria-label", `How much of the photograph covers: ${data.title}`)
  range.oninput = () => figure.style.setProperty("--at", `${range.value}%`)
  range.oninput()
}
"""

DRAWING_JS = """
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".drawing")
  if (box.shown !== data.html) box.innerHTML = box.shown = data.html
}
"""

PHOTO_WIDTH = 1280
QUIET = {"displaylogo": False}

_gallery = st.components.v2.component(
    "butf_gallery", html='<div class="gallery"></div>', js=GALLERY_JS, isolate_styles=False
)
_drawing = st.components.v2.component(
    "butf_drawing", html='<div class="drawing"></div>', js=DRAWING_JS, isolate_styles=False
)
_hover_map = st.components.v2.component(
    "butf_hover_map",
    html='<div class="drawing"></div>',
    js=(REPO / "static" / "hover_map.js").read_text("utf-8"),
    isolate_styles=False,
)
_swipe = st.components.v2.component("butf_swipe", html=SWIPE_HTML, js=SWIPE_JS, isolate_styles=False)


def gallery(html: str, key: str, on_pick) -> None:
    """HTML whose buttons have `data-pick`; pressing one calls `on_pick` with what it says."""

    def picked() -> None:
        on_pick(st.session_state[key]["picked"])

    _gallery(data={"html": html}, key=key, on_picked_change=picked)


def drawing(html: str, key: str) -> None:
    """HTML with SVG, which `st.html` takes out of what it shows."""
    _drawing(data={"html": html}, key=key)


def hover_map(view: HoverMap, key: str, alt: str) -> None:
    """A picture of cells that tells the value under the pointer, and can be shown on the whole screen."""
    _hover_map(data=view.payload(alt), key=key)


def panel(shown: Panel) -> None:
    """A side map under its heading, with what stands beneath it: one part of the page, as each costs a browser time."""
    payload = shown.figure.payload(shown.alt)
    html = f"{heading_html(shown.title, shown.note)}{payload['html']}{shown.foot}"
    _hover_map(data=payload | {"html": html}, key=shown.key)


def photo(picture: Image.Image, alt: str, width: int | Literal["stretch"] = "stretch") -> None:
    """A picture sent within the page, not by an address of its own.

    Streamlit forgets the address when the part is drawn again, maybe before a slow browser has asked for it.
    """
    st.image(data_uri(thumbnail(picture, PHOTO_WIDTH, 88)), width=width, alt=alt)


def scene(figure: go.Figure, key: str, alt: str) -> Callable[[], None]:
    """A picture of a scene in space, and what then draws the scene itself there, to be called last.

    Without a graphics card a browser takes seconds to draw one, in which it shows nothing new.
    """
    place = st.container(key=f"still {key}")
    place.html(still_html(figure))

    def draw() -> None:
        waiting.let_picture_paint()
        place.plotly_chart(figure, key=key, config=QUIET, alt=alt)

    return draw


def swipe(view: Swipe, key: str) -> None:
    """The photograph over a side map of it; by mouse, finger or arrow keys one is drawn over the other."""
    _swipe(data={"picture": view.picture, "side": view.side, "title": view.title}, key=key)
