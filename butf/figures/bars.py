"""recall@1 as bars, condition by condition, with the model's mark and the 95 % interval at the top of each bar.

The looks are in `static/plot.css`, names are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from butf.figures.curves import recall_rows, up
from butf.figures.plots import Scale, above_svg, beneath_svg, linear_scale, mark_svg, plot_svg, whisker_svg
from butf.figures.shapes import model_shape
from butf.figures.theme import model_colour

FREE = 0.12
"""Share of a bar's room that is left free beside it."""
MARK_WIDE = 9
GROUP = 0.84
"""Share of a condition's room that its bars take."""
GAP = 0.35
"""Room between the seen conditions and the unseen ones, in conditions."""
PHONE_LETTERS, WIDE_LETTERS = 42, 105
"""Letters that have room side by side on a phone, and on a screen."""


@dataclass(frozen=True)
class Bar:
    """recall@1 of a model under a condition, a fraction, with the ends of its 95 % interval."""

    model: str
    condition: str
    seen: bool
    recall: float
    low: float
    high: float
    queries: int

    @property
    def text(self) -> str:
        return (
            f"{self.model}, {self.condition}: {100 * self.recall:.1f} % "
            f"({100 * self.low:.1f} to {100 * self.high:.1f}) of {self.queries} queries"
        )


def bars_svg(bars: Sequence[Bar], label: str) -> str:
    """recall@1 in percent, one group of bars a condition in the order given, one bar a model."""
    places = condition_places(bars)
    across = linear_scale(min(places.values()) - 0.5, max(places.values()) + 0.5)
    models = list(dict.fromkeys(bar.model for bar in bars))
    width = GROUP / len(models)
    drawn = "".join(
        _bar(bar, across(places[bar.condition] + width * (models.index(bar.model) - len(models) / 2)), across, width)
        for bar in bars
    )
    words = "".join(beneath_svg(across(place), condition) for condition, place in places.items())
    for seen, word in ((True, "seen in training"), (False, "unseen in training")):
        found = [places[bar.condition] for bar in bars if bar.seen is seen]
        if found:
            words += above_svg(across((min(found) + max(found)) / 2), word)
    kind, look = _slanting(places)
    return plot_svg(label, recall_rows(), "", drawn, words, f"bars {kind}".strip(), look)


def condition_places(bars: Sequence[Bar]) -> dict[str, float]:
    """Where on the x axis each condition stands: one apart, with a gap where seen ones end and unseen ones begin."""
    found = dict.fromkeys((bar.condition, bar.seen) for bar in bars)
    places, before, at = {}, None, 0.0
    for condition, seen in found:
        at += 0.0 if before is None else 1.0 + GAP * (before is not seen)
        places[condition], before = at, seen
    return places


def _bar(bar: Bar, left: float, across: Scale, width: float) -> str:
    """A bar from its left edge on, with the mark and the interval at its top."""
    colour, top = model_colour(bar.model), up(bar.recall)
    wide = across(width) - across(0)
    middle = left + wide / 2
    shape = model_shape(bar.model, f'fill="{colour}"')
    return (
        f'<g class="bar"><title>{escape(bar.text)}</title>'
        f'<rect x="{left + FREE * wide / 2:.2f}%" y="{top:.2f}%" width="{(1 - FREE) * wide:.2f}%"'
        f' height="{up(0) - top:.2f}%" fill="{colour}"/>'
        f"{whisker_svg(middle, up(bar.low), up(bar.high), colour)}{mark_svg(middle, top, shape, MARK_WIDE)}</g>"
    )


def _slanting(places: dict[str, float]) -> tuple[str, str]:
    """The class of a plot whose conditions' names have no room side by side, on a phone or at all; and their room."""
    span = max(places.values()) - min(places.values()) + 1
    longest = max(map(len, places))
    kind = "slanted" if longest > WIDE_LETTERS / span else "slanted-phone" if longest > PHONE_LETTERS / span else ""
    return kind, f"--under: {max(2.0, 0.6 + 0.25 * longest) if kind else 2.0:.1f}rem"
