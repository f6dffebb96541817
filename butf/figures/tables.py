"""Tables as HTML, for measured values with intervals; the looks are in `static/app.css`, names are escaped."""

from collections.abc import Mapping, Sequence
from html import escape

from butf.figures.gallery import heading_html, model_html
from butf.figures.recall import Gain


def legend_html(models: Sequence[str]) -> str:
    """The models' marks and colours in one line, for several figures that share them."""
    items = "".join(f"<li>{model_html(name)}</li>" for name in models)
    return f'<ul class="legend" aria-label="Models">{items}</ul>'


def table_html(head: Sequence[str], body: Sequence[Sequence[str]], caption: str) -> str:
    """A table whose cells are HTML already, the first of each row heading it. A wide one scrolls, its caption not."""
    top = "".join(f'<th scope="col">{escape(word)}</th>' for word in head)
    rows = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>" for row in body
    )
    return (
        f'<div class="table" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f'<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div><p class="caption">{escape(caption)}</p>'
    )


def stacked_html(value: str, note: str) -> str:
    """A value with a quieter note beneath it."""
    return f"<b>{escape(value)}</b><br><small>{escape(note)}</small>"


def percent_html(value: float | None, interval: tuple[float, float] | None) -> str:
    """A fraction in percent with its 95 % interval beside it; a dash where no query tells."""
    if value is None:
        return "–"
    bounds = "" if interval is None else f" <small>{100 * interval[0]:.0f} to {100 * interval[1]:.0f}</small>"
    return f"<b>{100 * value:.1f}</b>{bounds}"


def differences_html(found: Mapping[str, Sequence[Gain]]) -> str:
    """Paired differences in words, one list for each pair of models; what is clear is set in bold."""
    return "".join(
        f'<section class="pair">{heading_html(pair)}<ul>{"".join(map(_difference, gains))}</ul></section>'
        for pair, gains in found.items()
    )


def _difference(gain: Gain) -> str:
    words = f"<b>{escape(gain.text)}</b>" if gain.clear else escape(gain.text)
    return f"<li>{escape(gain.condition)}: {words}</li>"
