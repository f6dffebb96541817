"""frames.csv, dataset.json and areas.geojson of the town."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from butf.dataset.areas import Areas, Polygon, write_areas
from butf.dataset.frames import write_frames
from butf.town.camera import make_camera
from butf.town.classes import CLASS_NAMES
from butf.town.conditions import CONDITIONS, Condition
from butf.town.config import SPLITS, TownConfig
from butf.town.districts import Ground, grounds
from butf.town.pictures import FIRST_NUMBER
from butf.town.plan import Plan
from butf.town.traffic import frame_time
from butf.town.traversal import UTM_BAND, UTM_ORIGIN, UTM_ZONE, make_poses, quaternions, to_lat_lon, to_utm

AREA_MARGIN = 20.0  # metres round the outer junctions


def write_tables(out: Path, config: TownConfig, chosen: dict[tuple[str, str], list[int]], lidar: str = "") -> None:
    """The tables of a town whose places `chosen[split, condition]` were rendered; `lidar` names the sensor that
    measured its lidar maps, if any."""
    splits = [split for split in SPLITS if any(split == key[0] for key in chosen)]
    ground = grounds(config, splits)
    write_areas(out / "areas.geojson", _areas(ground))
    table: dict[str, list[Any]] = {}
    for name, condition in CONDITIONS.items():
        for split in splits:
            if (split, name) in chosen:
                rows = _rows(config, ground[split].plan, condition, chosen[split, name])
                for column, values in rows.items():
                    table.setdefault(column, []).extend(values)
    shown = [name for name in CONDITIONS if any(name == key[1] for key in chosen)]
    write_frames(out, table, _description(config, shown, lidar))


def _rows(config: TownConfig, plan: Plan, condition: Condition, kept: list[int]) -> dict[str, list[Any]]:
    poses = make_poses(config, plan, condition)
    position = to_utm(poses.position[kept])
    lat, lon = to_lat_lon(position[:, 0], position[:, 1])
    turned = quaternions(poses.yaw[kept])
    count = len(kept)
    return {
        "frame": [f"{condition.name}/{FIRST_NUMBER[plan.split] + place:06d}" for place in kept],
        "traversal": [condition.name] * count,
        "condition": [condition.name] * count,
        "split": [plan.split] * count,
        "time_s": [frame_time(poses.along[place]) for place in kept],
        "lat": list(lat),
        "lon": list(lon),
        "easting_m": list(position[:, 0]),
        "northing_m": list(position[:, 1]),
        "altitude_m": list(position[:, 2]),
        **{f"q{axis}": list(turned[:, k]) for k, axis in enumerate("wxyz")},
    }


def _description(config: TownConfig, conditions: list[str], lidar: str) -> dict[str, Any]:
    lat, lon = to_lat_lon(*UTM_ORIGIN)
    seasons = [CONDITIONS[name].at_season(config.season) for name in conditions]
    scale = {"near_m": 1.0, "far_m": 100.0}
    measured = {"lidar": scale | {"sensor": lidar}, "points": scale, "returns": {}} if lidar else {}
    return {
        "name": "town",
        "licence": "Apache-2.0",
        "source": f"butf.town, seed {config.seed}",
        "cameras": [dataclasses.asdict(make_camera(config))],
        "origin": {"lat": round(float(lat), 9), "lon": round(float(lon), 9), "utm_zone": f"{UTM_ZONE}{UTM_BAND}"},
        "modalities": {
            "depth": scale,
            "reflectance": {},
            "semantics": {"classes": list(CLASS_NAMES)},
            **measured,
        },
        "traversals": [{"name": c.name, "condition": c.name, "role": c.role, "labels": c.labels} for c in seasons],
        "place": {"radius_m": 25.0, "angle_deg": None},
        "noise": {"rgb": {c.name: round(c.noise, 4) for c in seasons}, "reflectance": 0.008},
        "town": config.as_dict(),
    }


def _areas(grounds: dict[str, Ground]) -> Areas:
    areas: dict[str, tuple[Polygon, ...]] = {}
    streets, buildings = [], []
    for split, ground in grounds.items():
        nodes = ground.plan.nodes
        low, high = nodes.min((0, 1)) - AREA_MARGIN, nodes.max((0, 1)) + AREA_MARGIN
        corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
        areas[split] = ((_geographic(corners),),)
        streets += [_geographic(np.array([nodes[a], nodes[b]])) for a, b in ground.plan.streets()]
        buildings += [(_geographic(footprint),) for footprint in ground.footprints]
    return Areas(areas, tuple(streets), tuple(buildings))


def _geographic(points: np.ndarray) -> np.ndarray:
    """(N, 2) longitude, latitude of points in the town's frame."""
    utm = to_utm(np.column_stack([points, np.zeros(len(points))]))
    lat, lon = to_lat_lon(utm[:, 0], utm[:, 1])
    return np.column_stack([lon, lat])
