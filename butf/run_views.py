"""What the Train page shows of a run beside its curves: reconstructions growing sharper, and its place among others."""

from collections.abc import Sequence

import numpy as np

from butf.dataset.depth_metrics import depth_errors
from butf.dataset.frames import Frames
from butf.dataset.modalities import Map
from butf.errors import BadInput
from butf.figures.depth import Scale
from butf.figures.gallery import data_uri, thumbnail
from butf.figures.previews import Strip, Tile, map_uri, strips_html
from butf.training.folder import Run
from butf.training.previews import Preview, preview_files, read_previews, spread
from butf.training.state import RunState
from butf.views import side_scale

DECODERS = ("bu-tf", "bu-tf-adapted", "bu-tf-reencode")
MOST = 6
WIDE = 160


def preview_html(run: Run, frames: Frames, most: int = MOST) -> str:
    """The val pictures of a run's previews, their true side maps and at most `most` reconstructions; empty without."""
    previews = read_previews(spread(preview_files(run.previews_path), most))
    if not previews:
        return ""
    modality = previews[0].maps[0].name
    scale = None if modality == "semantics" else side_scale(frames, modality)
    strips = [_strip(frames, previews, k, scale) for k in range(len(previews[0].frames))]
    return strips_html(strips, modality, scale)


def why_no_previews(state: RunState) -> str:
    """Why a run has no reconstruction to show, in one sentence."""
    if state.method not in DECODERS:
        return f"{state.method} has no decoder, so there is no reconstruction to watch."
    if state.active:
        return "The reconstruction of two val pictures appears here when the decoder's training step begins."
    return "This run kept no reconstructions: it ended before its decoder was trained, or was made by an older version."


def _strip(frames: Frames, previews: Sequence[Preview], k: int, scale: Scale | None) -> Strip:
    name = previews[0].frames[k]
    found = np.flatnonzero(frames.frame == name)
    row = int(found[0]) if len(found) else None
    tiles, true = _given(frames, row, previews[0].maps[k].name, scale)
    for preview in previews:
        side, title = preview.maps[k], f"step {preview.step}"
        note = _error(side, true)
        alt = f"Reconstructed {side.name} of {name} at {title}" + (f", {note}" if note else "")
        tiles.append(Tile(map_uri(side, scale), title, note, alt))
    if row is None:
        return Strip(f"{name}, which the data set no longer has", tiles)
    condition = str(frames.condition[row])
    return Strip(f"{name} · {condition}, {'seen' if frames.seen(condition) else 'unseen'} in training", tiles)


def _given(frames: Frames, row: int | None, modality: str, scale: Scale | None) -> tuple[list[Tile], Map | None]:
    """The picture and its true side map, where the data set still has them."""
    if row is None:
        return [], None
    name = frames.frame[row]
    try:
        picture, true = data_uri(thumbnail(frames.image(row, least=2 * WIDE), WIDE)), frames.modality(row, modality)
    except BadInput:
        return [], None
    tiles = [Tile(picture, "picture", "", f"The val picture {name}")]
    if true is not None:
        tiles.append(Tile(map_uri(_small(true), scale), f"true {modality}", "", f"True {modality} of {name}"))
    return tiles, true


def _small(side: Map) -> Map:
    """Every n-th cell of a map, about `WIDE` across."""
    step = max(1, side.values.shape[1] // WIDE)
    return Map(
        side.name, side.values[step // 2 :: step, step // 2 :: step], side.valid[step // 2 :: step, step // 2 :: step]
    )


def _error(side: Map, true: Map | None) -> str:
    """How far a reconstructed depth is off, on average; nothing of other modalities."""
    if true is None or side.name != "depth":
        return ""
    return f"off by {depth_errors(side, true).abs_rel:.0%}"
