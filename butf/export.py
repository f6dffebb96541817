"""One view of Explore as files: all that was answered as JSON, and as one picture to put into a paper or a slide."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from butf.browse import Asked
from butf.closeup import painted
from butf.dataset.frames import Frames, PlaceRule
from butf.figures.gallery import metres_text
from butf.figures.theme import RIGHT, WRONG, model_colour
from butf.retrieval.explore import Candidate, QueryResult
from butf.views import SideView, verdict

CELL, GAP, LINE, EDGE = 240, 12, 24, 5
INK, QUIET, PAPER = "#1d2733", "#5b6672", "#ffffff"


def view_json(
    frames: Frames, split: str, asked: Asked, results: Sequence[QueryResult], side: SideView | None, rule: PlaceRule
) -> bytes:
    """Query, candidates with distances and metres, and the errors of the reconstruction."""
    record = {
        "dataset": frames.name,
        "split": split,
        "query": _frame(frames, asked.query) if asked.query is not None else {"photo": asked.name},
        "place": dataclasses.asdict(rule),
        "models": [_answer(frames, result) for result in results],
        "side": _side(side),
    }
    return json.dumps(record, indent=1).encode()


def view_png(frames: Frames, asked: Asked, results: Sequence[QueryResult], side: SideView | None, k: int) -> bytes:
    """Query and side maps on top, below them each model's candidates; right and wrong by border and by word."""
    top = [(asked.picture, asked.name)]
    if side is not None:
        maps = ((f"true {side.modality}", side.true), (f"reconstructed by {side.model}", side.predicted))
        top += [(painted(frames, entry), title) for title, entry in maps if entry is not None]
    widest = max(len(top), k)
    tall = round(CELL * asked.picture.height / asked.picture.width)
    rows = 1 + len(results)
    sheet = Image.new("RGB", (GAP + widest * (CELL + GAP), GAP + rows * (tall + 2 * LINE + GAP) + LINE), PAPER)
    draw = _Draw(sheet, tall)
    for column, (picture, title) in enumerate(top):
        draw.cell(column, 0, picture, title)
    for row, result in enumerate(results, 1):
        draw.heading(row, result)
        for column, candidate in enumerate(result.candidates):
            draw.cell(column, row, frames.image(candidate.frame), *_words(candidate))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def file_name(frames: Frames, asked: Asked, rest: str) -> str:
    """A name for a file of this view, of letters that every file system takes."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", f"{frames.name}-{asked.name}").strip("-")[:80] + rest


class _Draw:
    """A sheet with a grid of pictures, each with a line of text beneath."""

    def __init__(self, sheet: Image.Image, tall: int) -> None:
        self.sheet, self.tall = sheet, tall
        self.pen = ImageDraw.Draw(sheet)
        self.font = ImageFont.load_default(size=14)
        self.strong = ImageFont.load_default(size=17)

    def cell(self, column: int, row: int, picture: Image.Image, text: str, colour: str | None = None) -> None:
        x, y = GAP + column * (CELL + GAP), self._top(row)
        if colour:
            self.pen.rectangle((x - EDGE, y - EDGE, x + CELL + EDGE - 1, y + self.tall + EDGE - 1), fill=colour)
        small = picture.convert("RGB").resize((CELL, self.tall), Image.Resampling.LANCZOS)
        self.sheet.paste(small, (x, y))
        self.pen.text((x, y + self.tall + EDGE + 2), text, QUIET, self.font)

    def heading(self, row: int, result: QueryResult) -> None:
        y = self._top(row) - LINE - 2
        self.pen.text((GAP, y), result.model, model_colour(result.model), self.strong)
        across = self.pen.textlength(f"{result.model}  ", self.strong)
        self.pen.text((GAP + across, y + 3), verdict(result), INK, self.font)

    def _top(self, row: int) -> int:
        return GAP + row * (self.tall + 2 * LINE + GAP) + (LINE if row else 0)


def _words(candidate: Candidate) -> tuple[str, str | None]:
    far = "" if candidate.metres is None else f", {metres_text(candidate.metres)}"
    word = {True: " right", False: " wrong", None: ""}[candidate.correct]
    colour = {True: RIGHT, False: WRONG, None: None}[candidate.correct]
    return f"{candidate.rank}{word}{far}, d {candidate.distance:.3f}", colour


def _frame(frames: Frames, i: int) -> dict[str, Any]:
    found: dict[str, Any] = {"frame": str(frames.frame[i]), "condition": str(frames.condition[i])}
    found["position_m"] = [round(float(value), 3) for value in frames.position[i]]
    if frames.lat is not None and frames.lon is not None:
        found |= {"lat": float(frames.lat[i]), "lon": float(frames.lon[i])}
    return found


def _answer(frames: Frames, result: QueryResult) -> dict[str, Any]:
    candidates = [
        {"rank": c.rank, **_frame(frames, c.frame), "distance": c.distance, "metres": c.metres, "correct": c.correct}
        for c in result.candidates
    ]
    known = {"matched": result.matched, "first_correct_rank": result.first_correct}
    return {"model": result.model, **known, "candidates": candidates}


def _side(side: SideView | None) -> dict[str, Any] | None:
    if side is None:
        return None
    errors = (
        None
        if side.errors is None
        else {key: value for key, value in dataclasses.asdict(side.errors).items() if np.isscalar(value)}
    )
    return {"modality": side.modality, "reconstructed_by": side.model, "errors": errors}
