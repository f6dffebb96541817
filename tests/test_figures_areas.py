"""The Data page's map, plan, histogram and tables, built without a browser."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from looking import looked_through

from butf import data_reports, data_views
from butf.dataset.areas import read_areas
from butf.dataset.frames import Frames
from butf.dataset.inspection import inspect
from butf.dataset.summary import DepthHistogram, counts, depth_histogram
from butf.dataset.table import Fault
from butf.figures.areas_map import SPLITS, Dot, Here, Track, areas_map, frames_layer, here_svg, splits_html
from butf.figures.areas_plan import areas_plan
from butf.figures.histogram import depth_figure, depth_words
from butf.figures.theme import DARK, LIGHT, palette

HOSTILE = "</script><img src=x onerror=alert(1)>"


def script_json(html: str, name: str) -> dict:
    return json.loads(re.search(rf"const {name} = (\{{.*?\}});", html).group(1))


def map_html(frames: Frames, areas: object, dots: list[Dot], here: Here | None) -> str:
    view = areas_map(areas, data_views.thin_tracks(frames), *data_views.home(frames, areas), dark=False)
    frames_layer([], dots, here, dark=False).add_to(view)
    return view.get_root().render()


def test_areas_are_green_blue_red_with_names_and_dashes(tiny_dataset: Path, tiny_frames: Frames) -> None:
    areas = read_areas(tiny_dataset / "areas.geojson")
    html = map_html(tiny_frames, areas, [], None)
    shapes = script_json(html, "shapes")
    assert [area["label"] for area in shapes["areas"]] == ["train", "val", "test"]
    for area in shapes["areas"]:
        red, green, blue = (int(area["look"]["color"][i : i + 2], 16) for i in (1, 3, 5))
        assert max(red, green, blue) == {"train": green, "val": blue, "test": red}[area["label"]]
    assert len({area["look"]["dashArray"] for area in shapes["areas"]}) == 3
    corners = np.array([area["rings"][0] for area in shapes["areas"]])
    expected = np.array([areas.areas[split][0][0][:, ::-1] for split in SPLITS])
    assert corners == pytest.approx(expected, abs=1e-6)
    low, high = np.array(shapes["bounds"])
    assert low == pytest.approx(expected.min(axis=(0, 1)), abs=1e-6)
    assert high == pytest.approx(expected.max(axis=(0, 1)), abs=1e-6)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html), "nothing is loaded from elsewhere"


def test_without_areas_the_tracks_alone_bound_the_view(tiny_frames: Frames) -> None:
    shapes = script_json(map_html(tiny_frames, None, [], None), "shapes")
    assert shapes["areas"] == []
    low, high = np.array(shapes["bounds"])
    assert low == pytest.approx([tiny_frames.lat.min(), tiny_frames.lon.min()], abs=1e-6)
    assert high == pytest.approx([tiny_frames.lat.max(), tiny_frames.lon.max()], abs=1e-6)


def test_every_frame_is_a_dot_whose_tooltip_is_its_name(tiny_frames: Frames) -> None:
    rows = tiny_frames.where(traversal="night")
    dots, thinned = data_views.dots(tiny_frames, rows)
    assert thinned == ""
    drawn = script_json(map_html(tiny_frames, None, dots, data_views.here(tiny_frames, 30)), "frames")
    assert [dot[3] for dot in drawn["dots"]] == tiny_frames.frame[rows].tolist()
    assert [dot[2] for dot in drawn["dots"]] == tiny_frames.split[rows].tolist()
    assert [dot[:2] for dot in drawn["dots"]] == [
        pytest.approx([tiny_frames.lat[i], tiny_frames.lon[i]], abs=1e-6) for i in rows
    ]
    assert drawn["here"]["at"] == pytest.approx([tiny_frames.lat[30], tiny_frames.lon[30]])


def test_names_cannot_leave_the_script(tiny_frames: Frames) -> None:
    html = map_html(tiny_frames, None, [Dot(HOSTILE, "test", 2.0, 48.0)], None)
    assert "<img src=x" not in html and html.count("</script>") == map_html(tiny_frames, None, [], None).count("</scr"
        "ipt>")  # fmt: skip


def test_thinning_is_even_and_said(tiny_frames: Frames) -> None:
    shown, words = data_views.dots(tiny_frames, np.arange(36), most=10)
    assert [dot.frame for dot in shown] == tiny_frames.frame[::4].tolist()
    assert words == "Every 4th of its 36 frames is drawn."
    assert [data_views._ordinal(n) for n in (2, 3, 11, 12, 21, 22, 103)] == [
        "2nd", "3rd", "11th", "12th", "21st", "22nd", "103rd",
    ]  # fmt: skip


def test_tracks_break_between_splits_and_at_gaps(tiny_frames: Frames) -> None:
    lengths = [(t.traversal, t.split, len(t.points)) for t in data_views.tracks(tiny_frames, "overcast")]
    assert lengths == [("overcast", "train", 6), ("overcast", "val", 2), ("overcast", "test", 4)]
    tiny_frames.position[15:18, 0] += 500  # the second half of overcast's train drive
    lengths = [len(t.points) for t in data_views.tracks(tiny_frames, "overcast")]
    assert lengths == [3, 3, 2, 4]
    assert len(data_views.tracks(tiny_frames)) == 3 + 4 + 3


def test_simplified_lines_stay_within_the_tolerance() -> None:
    rng = np.random.default_rng(0)
    line = np.cumsum(rng.normal(0, 1, (300, 2)), axis=0)
    kept = data_views.corners(line, 2.0)
    assert kept[0] == 0 and kept[-1] == 299 and len(kept) < 150
    for first, last in itertools.pairwise(kept):
        share = np.linspace(0, 1, 2001)[:, None]
        stretch = line[first] * (1 - share) + line[last] * share
        for point in line[first : last + 1]:
            assert np.linalg.norm(stretch - point, axis=1).min() < 2.0 + 1e-2
    straight = np.stack([np.arange(50.0), np.zeros(50)], axis=1)
    assert data_views.corners(straight, 0.1).tolist() == [0, 49]


def test_thousands_of_houses_are_left_out_of_a_whole_town(tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    areas = read_areas(tiny_dataset / "areas.geojson")
    assert data_views.ground(areas) is areas and data_views.ground(None) is None
    monkeypatch.setattr(data_views, "MANY_BUILDINGS", 0)
    assert data_views.ground(areas).buildings == () and data_views.ground(areas).streets is areas.streets


@pytest.mark.parametrize("heading", [0, 90, 200])
def test_the_wedge_points_where_the_camera_looks(heading: float) -> None:
    svg = here_svg(heading, palette(False))
    numbers = re.search(r"L([\d.]+) ([\d.]+)A27 27 0 0 1 ([\d.]+) ([\d.]+)Z", svg).groups()
    middle = np.array(numbers, float).reshape(2, 2).mean(axis=0) - 28
    assert np.degrees(np.arctan2(middle[0], -middle[1])) % 360 == pytest.approx(heading, abs=0.5)
    assert "<path" not in here_svg(None, palette(True))


def test_looking_east_is_a_heading_of_90(tiny_frames: Frames) -> None:
    assert data_views.here(tiny_frames, 0).heading == pytest.approx(90)


def test_the_plan_gives_the_frame_of_a_click(tiny_frames: Frames) -> None:
    bare = Frames(**{**vars(tiny_frames), "lat": None, "lon": None})
    rows = bare.where(traversal="night")
    dots, _ = data_views.dots(bare, rows)
    here = data_views.here(bare, 25)
    figure = looked_through(areas_plan(data_views.thin_tracks(bare), data_views.tracks(bare, "night"), dots, here))
    marks = [trace for trace in figure.data if trace.customdata is not None]
    assert [frame for trace in marks for (frame,) in trace.customdata] == bare.frame[rows].tolist()
    assert [x for trace in marks for x in trace.x] == bare.position[rows, 0].tolist()
    assert len({trace.marker.symbol for trace in marks}) == len({trace.marker.color for trace in marks}) == 3
    (ring,) = (trace for trace in figure.data if trace.name == "here")
    assert (ring.x[0], ring.y[0]) == tuple(bare.position[25, :2])
    (arrow,) = figure.layout.annotations
    assert (arrow.ax, arrow.xshift) == (-26, 26), "the camera looks east"
    assert figure.layout.yaxis.scaleanchor == "x"


def test_split_colours_stand_out_on_both_grounds() -> None:
    def light(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return float(
            np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
        )

    for look in SPLITS.values():
        for ground in (LIGHT.background, DARK.background):
            low, high = sorted((light(look.colour), light(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3, (look, ground)
    assert splits_html(["train", "test"]).count("<li>") == 2 and "dotted red" in splits_html(["test"])


def test_the_bars_of_the_histogram_stand_on_their_edges(tiny_frames: Frames) -> None:
    histogram = depth_histogram(tiny_frames)
    (bars,) = looked_through(depth_figure(histogram)).data
    left = np.array(bars.x) - np.array(bars.width) / 2
    assert left == pytest.approx(histogram.edges[:-1])
    assert np.sum(bars.y) == pytest.approx(100 * (1 - histogram.below - histogram.above))
    assert depth_words(histogram).startswith("Read from all 35 depth maps, evenly spread;")


def test_the_histogram_in_words() -> None:
    histogram = DepthHistogram(np.array([1.0, 10, 100]), np.array([0.5, 0.3]), 0.15, 0.05, 60, 2340, 0.85)
    assert depth_words(histogram) == (
        "Read from 60 of 2,340 depth maps, evenly spread; 85% of their pixels are measured, of these 15.0% nearer than "
        "1 m and 5.0% beyond 100 m."
    )


def test_panels_of_a_frame(tiny_frames: Frames) -> None:
    depth = data_views.side_panel(tiny_frames, 0, "depth")
    share = tiny_frames.modality(0, "depth").valid.mean()
    assert depth.note == f"{share:.0%} measured" and depth.figure.bar.ticks[-1] == (1.0, "100 m")
    semantics = data_views.side_panel(tiny_frames, 0, "semantics")
    assert semantics.note == "all measured" and "ground" in semantics.foot
    assert data_views.side_panel(tiny_frames, 35, "depth") is None


def test_nearest_frame_of_another_traversal(tiny_frames: Frames) -> None:
    assert data_views.nearest(tiny_frames, "night", "overcast/000007") == "night/000007"
    assert data_views.nearest(tiny_frames, "night", None) == "night/000000"


def test_tables_escape_what_comes_from_files(tiny_frames: Frames) -> None:
    rows = [Fault(HOSTILE, HOSTILE, 3, HOSTILE, HOSTILE)]
    assert "<img" not in data_reports.faults_html(rows, 1)
    assert "<img" not in data_reports.counts_html(
        [replace(counts(tiny_frames)[0], traversal=HOSTILE, condition=HOSTILE)], ["train"]
    )
    assert "90° × 67°" in data_reports.cameras_html(tiny_frames)


def test_the_list_of_faults_says_what_it_leaves_out_and_the_csv_leaves_out_nothing() -> None:
    faults = [Fault("frames.csv", 'is empty, give "it"', row, "lat", "") for row in range(2, 252)]
    html = data_reports.faults_html(faults, 400)
    assert html.count("<tr>") == 101 and "The first 100 of 400 faults" in html
    assert "All 2 faults" in data_reports.faults_html(faults[:2], 2)
    rows = list(csv.reader(io.StringIO(data_reports.faults_csv(faults))))
    assert len(rows) == 251 and rows[1] == ["frames.csv", "2", "lat", "", 'is empty, give "it"']


def test_preview(tiny_dataset: Path) -> None:
    (tiny_dataset / "reference" / "rgb" / "000000.jpg").write_bytes(b"")
    found = inspect(tiny_dataset)
    assert data_reports.opened_text(found) == "The files of all 36 frames were opened."
    assert data_reports.preview_facts(found, found.frames)["Modalities"] == (
        "picture, depth (35 of 36 frames), semantics (36 of 36 frames)"
    )
    assert data_reports.thumbnails_html(found.frames).count("<img") == 5, "the damaged one is left out"
    assert "of 36 frames, evenly spread, were opened" in data_reports.opened_text(inspect(tiny_dataset, opened=7))


def test_track_and_dot_of_an_unknown_split_are_drawn_grey() -> None:
    figure = looked_through(areas_plan([Track("a", "", np.zeros((2, 2)))], [], [Dot("a/1", "", 0, 0)], None))
    assert figure.data[0].line.color == figure.data[1].marker.color == "#7d8c6c"
