"""dataset.json: what a data set says about itself."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from butf.dataset.modalities import MODALITIES
from butf.errors import BadInput
from butf.files import read_json

ROLES = ("reference", "query")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: size in pixels, focal lengths and principal point in pixels.

    Camera frame: x right, y down, z forward; the centre of the first pixel is at (0.5, 0.5).
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True)
class PlaceRule:
    """Two frames show the same place when their centres are within `radius_m` metres and, where `angle_deg` is given,
    one camera is turned against the other by no more than that many degrees."""

    radius_m: float = 25.0
    angle_deg: float | None = None


@dataclass(frozen=True)
class Traversal:
    """One drive or walk: its condition (weather, light, ...) and whether it is the database or asks the questions.

    `labels` False marks an unseen condition: training may not use its place labels.
    """

    name: str
    condition: str
    role: str
    labels: bool = True


@dataclass(frozen=True)
class Manifest:
    """The content of dataset.json; every key is optional."""

    name: str
    licence: str
    source: str
    cameras: tuple[Camera, ...]
    origin: dict[str, Any] | None
    modalities: dict[str, dict[str, Any]]
    traversals: tuple[Traversal, ...]
    place: PlaceRule
    noise: dict[str, Any]


def read_manifest(path: Path) -> Manifest:
    """Read and check dataset.json; raises `BadInput` naming the file, the key and the fix."""
    value = read_json(path)
    check = _Check(path)
    check.that(isinstance(value, dict), "is not an object", '{"name": ..., "cameras": [...]}')
    check.that(isinstance(value.get("modalities", {}), dict), "modalities is not an object", '{"depth": {"near_m": 1}}')
    check.that(isinstance(value.get("noise", {}), dict), "noise is not an object", '{"rgb": {"night": 0.03}}')
    return Manifest(
        name=str(value.get("name", path.resolve().parent.name)),
        licence=str(value.get("licence", "unknown")),
        source=str(value.get("source", "unknown")),
        cameras=tuple(
            check.built(Camera, entry, "cameras", _camera_fault) for entry in check.entries(value, "cameras")
        ),
        origin=_origin(value.get("origin"), check),
        modalities={name: _modality(name, entry, check) for name, entry in value.get("modalities", {}).items()},
        traversals=_traversals(value, check),
        place=check.built(PlaceRule, value.get("place", {}), "place", _place_fault),
        noise=_noise(value.get("noise", {}), check),
    )


def utm_zone(origin: dict[str, Any] | None) -> tuple[int, bool] | None:
    """Zone number and "is on the northern hemisphere" of `origin["utm_zone"]`, None where it is not said.

    "33N" and "56S" name hemispheres; latitude bands ("30U") are understood too, except S, which means south.
    """
    if not origin or origin.get("utm_zone") is None:
        return None
    match = re.fullmatch(r"([0-9]{1,2})([C-HJ-NP-X])", str(origin["utm_zone"]).upper())
    if match is None or not 1 <= int(match[1]) <= 60:
        raise ValueError("not a UTM zone")
    return int(match[1]), match[2] >= "N" and match[2] != "S"


class _Check:
    """Turns what is wrong in dataset.json into one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def that(self, fine: bool, fault: str, expected: str) -> None:
        if not fine:
            raise BadInput(f"{self.path}: {fault}; expected {expected}")

    def entries(self, value: dict[str, Any], key: str) -> list[Any]:
        self.that(isinstance(value.get(key, []), list), f"{key} is not a list", "[{...}, ...]")
        entries: list[Any] = value.get(key, [])
        return entries

    def built(self, kind: type, entry: Any, key: str, fault: Callable[[Any], str | None]) -> Any:
        """A dataclass from a JSON object, with its own check applied."""
        fields = dataclasses.fields(kind)
        needed = [field.name for field in fields if field.default is dataclasses.MISSING]
        self.that(
            isinstance(entry, dict), f"{key} holds {entry!r}", "an object with " + ", ".join(f.name for f in fields)
        )
        for name in needed:
            self.that(name in entry, f"an entry of {key} has no {name!r}", ", ".join(needed))
        made = kind(**{field.name: entry[field.name] for field in fields if field.name in entry})
        complaint = fault(made)
        if complaint is not None:
            raise BadInput(f"{self.path}: {key}: {complaint}, not as in {entry!r}")
        return made


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _camera_fault(camera: Camera) -> str | None:
    if not all(_is_number(getattr(camera, key)) for key in ("width", "height", "fx", "fy", "cx", "cy")):
        return "width, height, fx, fy, cx and cy must be numbers of pixels"
    if min(camera.width, camera.height, camera.fx, camera.fy) <= 0:
        return "width, height, fx and fy must be above 0"
    return None


def _place_fault(place: PlaceRule) -> str | None:
    if not _is_number(place.radius_m) or place.radius_m <= 0:
        return "radius_m must be a number of metres above 0"
    if place.angle_deg is not None and (not _is_number(place.angle_deg) or not 0 < place.angle_deg <= 180):
        return "angle_deg must be null or within 0 to 180 degrees"
    return None


def _traversal_fault(traversal: Traversal) -> str | None:
    if not isinstance(traversal.name, str) or not isinstance(traversal.condition, str):
        return "name and condition must be texts"
    if traversal.role not in ROLES:
        return f"role must be one of {', '.join(ROLES)}"
    return None if isinstance(traversal.labels, bool) else "labels must be true or false"


def _traversals(value: dict[str, Any], check: _Check) -> tuple[Traversal, ...]:
    entries = check.entries(value, "traversals")
    traversals = tuple(check.built(Traversal, entry, "traversals", _traversal_fault) for entry in entries)
    names = [traversal.name for traversal in traversals]
    for name in names:
        check.that(names.count(name) == 1, f"traversal {name!r} is listed twice", "each traversal once")
    return traversals


def _origin(origin: Any, check: _Check) -> dict[str, Any] | None:
    if origin is None:
        return None
    form = '{"lat": 48.8, "lon": 2.3, "utm_zone": "31N"} or null'
    check.that(isinstance(origin, dict), f"origin is {origin!r}", form)
    check.that(all(_is_number(origin.get(key, 0.0)) for key in ("lat", "lon")), f"origin is {origin!r}", form)
    checked: dict[str, Any] = origin
    try:
        utm_zone(checked)
    except ValueError:
        check.that(False, f"origin has utm_zone {checked['utm_zone']!r}", form)
    return checked


def _modality(name: str, entry: Any, check: _Check) -> dict[str, Any]:
    check.that(name in MODALITIES, f"modality {name!r} is unknown", " or ".join(MODALITIES))
    check.that(isinstance(entry, dict), f"modality {name} is {entry!r}", '{"near_m": 1, "far_m": 100} or {}')
    near, far = entry.get("near_m", 1.0), entry.get("far_m", 100.0)
    fine = _is_number(near) and _is_number(far) and 0 < near < far
    check.that(fine, f"modality {name} has near_m {near!r} and far_m {far!r}", "0 < near_m < far_m in metres")
    classes = entry.get("classes", [])
    fine = isinstance(classes, list) and len(classes) < 256 and all(isinstance(word, str) for word in classes)
    check.that(fine, f"modality {name} has classes {classes!r}", "a list of at most 255 names")
    checked: dict[str, Any] = entry
    return checked


def _noise(noise: dict[str, Any], check: _Check) -> dict[str, Any]:
    for name, levels in noise.items():
        check.that(name in ("rgb", "reflectance"), f"noise is given for {name!r}", "rgb or reflectance")
        values = list(levels.values()) if isinstance(levels, dict) else [levels]
        fine = all(_is_number(level) and 0 <= level <= 1 for level in values)
        check.that(fine, f"noise of {name} is {levels!r}", "standard deviations within 0 to 1")
    return noise
