"""Candidates' pictures, tables and headings as HTML: complete, escaped, and readable without colour."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from butf.dataset.depth_metrics import DepthErrors
from butf.figures import gallery, tables
from butf.figures.recall import Gain
from butf.figures.theme import MODEL_SYMBOLS


class Reader(HTMLParser):
    """Tags with their attributes, in order, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (192, 256, 3), dtype=np.uint8))


def columns(frame: str = "reference/000001") -> list[gallery.Column]:
    cards = [
        gallery.Card(frame, "data:image/jpeg;base64,AA==", 1, 0.1234, 3.25, True),
        gallery.Card("reference/2", "data:image/jpeg;base64,AA==", 2, 0.5, 130.4, False),
        gallery.Card("reference/3", "data:image/jpeg;base64,AA==", 3, 0.6),
    ]
    return [gallery.Column("bu-tf", cards, "right at once"), gallery.Column("image-only", cards[:1])]


def test_thumbnail_keeps_proportions_and_never_enlarges(picture):
    for width, size in ((128, (128, 96)), (512, (256, 192))):
        decoded = Image.open(io.BytesIO(gallery.thumbnail(picture, width)))
        assert (decoded.format, decoded.size) == ("JPEG", size)


def test_data_uri_holds_the_bytes():
    assert base64.b64decode(gallery.data_uri(b"abc").partition(",")[2]) == b"abc"


@pytest.mark.parametrize(
    ("metres", "text"), [(0.184, "0.18 m"), (4.21, "4.2 m"), (9.96, "10.0 m"), (137.4, "137 m"), (0, "0.00 m")]
)
def test_metres_are_told_as_finely_as_they_matter(metres, text):
    assert gallery.metres_text(metres) == text


def test_right_and_wrong_are_said_by_border_and_word():
    page = Reader(gallery.candidates_html(columns()))
    kinds = [attrs["class"] for attrs in page.all("li")]
    assert kinds == ["card right", "card wrong", "card unknown", "card right"]
    assert page.text.count("✓ right") == 2
    assert page.text.count("✗ wrong") == 1


def test_every_picture_has_words_of_its_own():
    alts = [attrs["alt"] for attrs in Reader(gallery.candidates_html(columns())).all("img")]
    assert alts[0] == "Candidate 1 of bu-tf: reference/000001, right"
    assert alts[2] == "Candidate 3 of bu-tf: reference/3"
    assert len(set(alts)) == len(alts)


def test_rank_metres_and_descriptor_distance_are_shown():
    text = Reader(gallery.candidates_html(columns())).text
    for word in ("3.2 m", "130 m", "0.123", "0.500"):
        assert word in text


def test_names_are_escaped():
    page = gallery.candidates_html(columns('x"><script>alert(1)</script>'))
    assert "<script" not in page
    assert Reader(page).all("li")[0]["data-frame"] == 'x"><script>alert(1)</script>'


def test_scores_and_headings():
    assert Reader(gallery.scores_html(DepthErrors(0.1449, 3.94, 0.805, 10))).text == "AbsRel 0.14RMSE 3.9 mδ < 1.25 80%"
    assert "<i>" not in gallery.heading_html("a", "<i>")


def test_table_has_a_caption_and_heads():
    page = Reader(tables.table_html(["Method", "Size"], [["<b>bu-tf</b>", "1.31x"]], "What & why"))
    assert [attrs["scope"] for attrs in page.all("th")] == ["col", "col", "row"]
    assert "What & why" in page.text


def test_percent_with_its_interval_or_a_dash():
    assert tables.percent_html(0.612, (0.55, 0.664)) == "<b>61.2</b> <small>55 to 66</small>"
    assert tables.percent_html(None, None) == "–"


def test_legend_and_differences():
    assert len(Reader(tables.legend_html(["bu-tf", "image-only"])).all("li")) == 2
    gains = [Gain("bu-tf", "image-only", "night", 7.0, 0.003), Gain("bu-tf", "image-only", "snow", 1.0, 0.6)]
    page = tables.differences_html({"bu-tf against image-only": gains})
    assert "<b>+7.0 points (p = 0.003)</b>" in page
    assert "snow: +1.0 points (p = 0.60, within the noise)" in page


def test_every_method_is_marked_in_words_as_its_curves_are():
    marks = {name: gallery.MARKS[symbol] for name, symbol in MODEL_SYMBOLS.items()}
    assert len(set(marks.values())) == len(marks)
    assert all(marks[name] in gallery.model_html(name) for name in marks)
    assert "▲" in gallery.model_html("another")
