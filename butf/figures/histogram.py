"""How far away the measured pixels of a data set are."""

import numpy as np
import plotly.graph_objects as go

from butf.dataset.colours import ramp
from butf.dataset.summary import DepthHistogram
from butf.figures.depth import TICKS
from butf.figures.theme import styled


def depth_figure(histogram: DepthHistogram, height: int = 220) -> go.Figure:
    """Share of the measured pixels, in percent, over metres on a log axis, in the colours of the depth maps."""
    low, high = histogram.edges[:-1], histogram.edges[1:]
    colours = ramp()[np.rint(np.linspace(0, 255, len(low))).astype(int)]
    bars = {
        "type": "bar",
        "x": ((low + high) / 2).tolist(),
        "width": (high - low).tolist(),
        "y": (100 * histogram.share).tolist(),
        "marker": {"color": [f"rgb{tuple(colour)}" for colour in colours.tolist()], "line": {"width": 0}},
        "customdata": np.stack([low, high], axis=1).tolist(),
        "hovertemplate": "%{customdata[0]:.3~g} to %{customdata[1]:.3~g} m: %{y:.1f} %<extra></extra>",
    }
    near, far = float(histogram.edges[0]), float(histogram.edges[-1])
    ticks = [tick for tick in TICKS if near <= tick <= far]
    across = {"type": "log", "range": np.log10([near, far]).tolist(), "tickvals": ticks}
    return styled(
        [bars],
        height,
        bargap=0,
        margin={"t": 8},
        xaxis=across | {"title": {"text": "depth, m"}, "fixedrange": True},
        yaxis={"title": {"text": "% of pixels"}, "fixedrange": True},
    )


def depth_words(histogram: DepthHistogram) -> str:
    """What the histogram was made of, and what lies outside of it."""
    near, far = histogram.edges[0], histogram.edges[-1]
    outside = [
        f"{share:.1%} {word} {metres:g} m"
        for share, word, metres in ((histogram.below, "nearer than", near), (histogram.above, "beyond", far))
        if share >= 0.0005
    ]
    maps = f"all {histogram.have:,}" if histogram.read == histogram.have else f"{histogram.read} of {histogram.have:,}"
    words = f"Read from {maps} depth maps, evenly spread; {histogram.measured:.0%} of their pixels are measured"
    return ", of these ".join([words, " and ".join(outside)] if outside else [words]) + "."
