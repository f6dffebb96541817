"""Virtual things to put into a street: signs, arrows on the ground, and objects that stand on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from butf.pose.mesh import UP, Mesh, board, box, flat_polygon, joined, quads, turned

SIGN_COLOUR, SIGN_INK, SIGN_BACK = (20, 78, 122), (255, 255, 255), (70, 78, 86)
PIN = ((0, 0), (0.09, 0.18), (0.18, 0.42), (0.25, 0.58), (0.28, 0.72), (0.25, 0.86), (0.16, 0.96), (0, 1))
"""Radius and height of a map pin, as shares of its height."""
SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))
POST_M = 0.08
TEXT_PIXELS = 96
ARROW_EVERY_M, ARROW_M = 4.0, 1.3
ARROW_FIRST_M, ARROW_LAST_M = 5.0, 45.0
RED, BRIGHT, DARK = (206, 58, 44), (255, 203, 61), (38, 34, 24)
GROUND_SLACK = 0.3
"""Along the ground a small error of the depth's slant is a large one of its distance."""


def sign(
    foot: np.ndarray, reading: np.ndarray, text: str, height: float = 3.0, width: float | None = None
) -> list[Mesh]:
    """A board on two posts that stand about `foot` (3,), its upper edge `height` metres above it.

    `reading` (3,) is the horizontal direction in which the text runs. The board is as wide as its text needs, or
    `width` metres.
    """
    texture = lettering(text)
    tall = 0.3 * height
    wide = width or tall * texture.shape[1] / texture.shape[0]
    right = level(reading)
    ahead = np.cross(UP, right)  # away from who reads it
    top = np.asarray(foot, float) + height * UP - 0.5 * POST_M * ahead
    corners = [top + side * wide / 2 * right - down * tall * UP for side, down in ((-1, 0), (1, 0), (1, 1), (-1, 1))]
    dark, other = SIGN_BACK, tuple(0.8 * value for value in SIGN_BACK)
    back = box(foot + 0.01 * ahead, right, (wide, POST_M, tall), (dark, other, other), up=height - tall)
    posts = [
        box(foot + side * 0.38 * wide * right, right, (POST_M, POST_M, height - tall), (dark, other, other))
        for side in (-1, 1)
    ]
    return [joined([back, *posts]), board(np.array(corners) - 0.02 * ahead, texture)]


def lettering(text: str) -> np.ndarray:
    """A line of text as a picture (h, w, 3) uint8, light on dark with a light rim; an empty line is an empty board."""
    font = ImageFont.load_default(size=TEXT_PIXELS)
    wide = max(2 * TEXT_PIXELS, round(font.getlength(text)) + TEXT_PIXELS)
    sheet = Image.new("RGB", (wide, round(1.7 * TEXT_PIXELS)), SIGN_COLOUR)
    pen = ImageDraw.Draw(sheet)
    pen.rounded_rectangle((6, 6, sheet.width - 7, sheet.height - 7), 18, outline=SIGN_INK, width=7)
    pen.text((sheet.width / 2, sheet.height / 2), text, SIGN_INK, font, anchor="mm")
    return np.asarray(sheet)


def arrows(path: np.ndarray, ground: float, scale: float = 1.0) -> list[Mesh]:
    """Chevrons lying on the ground at height `ground`, along a path (N, 2) of metres east and north from the camera's
    feet on; `scale` 1 suits a street."""
    if len(path) < 2:
        return []
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    reach = np.concatenate([[0.0], np.cumsum(lengths)])
    last = min(scale * ARROW_LAST_M, reach[-1])
    bright, dark = [], []
    for distance in np.arange(scale * ARROW_FIRST_M, last + 1e-9, scale * ARROW_EVERY_M):
        piece = min(int(np.searchsorted(reach, distance, side="right")) - 1, len(steps) - 1)
        along = steps[piece] / max(lengths[piece], 1e-9)
        tip = path[piece] + (distance - reach[piece]) * along
        dark.append(_chevron(tip, along, ground + 0.02 * scale, scale, 0.1, DARK))
        bright.append(_chevron(tip, along, ground + 0.04 * scale, scale, 0.0, BRIGHT))
    return [joined(group).with_slack(GROUND_SLACK) for group in (dark, bright) if group]


def pin(foot: np.ndarray, height: float) -> list[Mesh]:
    """A map pin whose tip stands on `foot` (3,)."""
    return [shadow(foot, 0.22 * height), turned([(height * r, height * h) for r, h in PIN], foot, 14, RED)]


def cube(foot: np.ndarray, height: float) -> list[Mesh]:
    """A cube with a face of another colour to each side, turned a little against the street's axes."""
    colours = ((58, 134, 208), (201, 133, 0), (176, 58, 134))
    return [shadow(foot, 0.72 * height), box(foot, np.array([0.88, 0.47, 0.0]), (height,) * 3, colours)]


def obelisk(foot: np.ndarray, height: float) -> list[Mesh]:
    """A tapering pillar with a gilded tip, on a step."""
    stone, rim = (196, 172, 140), (168, 146, 116)
    step = box(foot, np.array([1.0, 0.0, 0.0]), (0.34 * height, 0.34 * height, 0.07 * height), (rim, rim, stone))
    rings = [(0.11, 0.07), (0.075, 0.88), (0.0, 1.0)]
    squares = [np.asarray(foot, float) + height * np.array([[x * r, y * r, h] for x, y in SQUARE]) for r, h in rings]
    faces = [
        np.stack([low, np.roll(low, -1, axis=0), np.roll(high, -1, axis=0), high], axis=1)
        for low, high in pairwise(squares)
    ]
    colours = np.repeat([stone, (222, 178, 64)], 4, axis=0)
    return [shadow(foot, 0.26 * height), joined([step, quads(np.concatenate(faces), colours)])]


def shadow(foot: np.ndarray, radius: float) -> Mesh:
    """A dark disc on the ground, without which a thing seems to hover."""
    angles = 2 * np.pi * np.arange(24) / 24
    rim = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(24, 0.01)], axis=1)
    disc = flat_polygon(np.asarray(foot, float) + rim, (10, 12, 16))
    return Mesh(disc.corners, disc.colours, opacity=0.4, lit=False, slack=GROUND_SLACK)


def level(direction: np.ndarray) -> np.ndarray:
    """A direction (3,) without its part up or down, of unit length; east where nothing is left of it."""
    flat = np.array([direction[0], direction[1], 0.0])
    length = np.linalg.norm(flat)
    return flat / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])


def _chevron(
    tip: np.ndarray, along: np.ndarray, up: float, scale: float, rim: float, colour: tuple[int, int, int]
) -> Mesh:
    """Two slanting bars that meet at the tip, wider by `rim` on every side."""
    across = np.array([along[1], -along[0]])
    arm, thick = ARROW_M / 2 + rim, 0.42 * ARROW_M

    def at(ahead: float, side: float) -> list[float]:
        return [*(tip + scale * (ahead * along + side * across)), up]

    halves = [
        [at(rim, 0), at(-arm + 0.4 * rim, s * arm), at(-arm - thick - rim, s * arm), at(-thick - rim, 0)]
        for s in (-1, 1)
    ]
    return joined([flat_polygon(np.array(half), colour) for half in halves])


OBJECTS: dict[str, Callable[[np.ndarray, float], list[Mesh]]] = {"Pin": pin, "Cube": cube, "Obelisk": obelisk}
