"""Journeys through the Data page in a real Chromium: click a frame, and import data with faults after mending them."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_pages import local_copy
from app_site import environment
from browsing import PATIENCE_MS, Visitor
from conftest import write_tiny_dataset
from streamlit.proto.BackMsg_pb2 import BackMsg
from test_dataset_faults import set_cell
from test_importers_photos import LAT, METRE, at, photo

from benchmarks._serving import installed_browser, serving
from butf.dataset.frames import Frames

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=PATIENCE_MS)

POINT_ON_MAP = "([lat, lon]) => { const at = map.latLngToContainerPoint([lat, lon]); return [at.x, at.y] }"
POINT_ON_PLAN = """(plot, [x, y]) => {
  const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect()
  return [box.x + xaxis._offset + xaxis.d2p(x), box.y + yaxis._offset + yaxis.d2p(y)]
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data-site")
    write_tiny_dataset(root / "data" / "drive")
    shutil.copytree(root / "data" / "drive", root / "data" / "room")
    local_copy(root / "data" / "room", drop=("lat", "lon"))
    shutil.copytree(root / "data" / "drive", root / "mine")
    return root


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    if installed_browser() is None:
        pytest.skip("there is no browser")
    with serving(environment(site) | {"OMP_NUM_THREADS": "1", "BUTF_NO_TRAINING": ""}) as address:
        yield address


def packed(folder: Path, padding: int = 0) -> Path:
    """The folder as a .zip, with `padding` random bytes in a file that is not of the data set."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
        archive.writestr("large.bin", os.urandom(padding))
    return path


def drawn(visitor: Visitor, frame: str) -> None:
    """Wait until this frame is the one shown."""
    visitor.heading(frame)
    visitor.page.get_by_text("How far away things are").wait_for()


def choose_file(visitor: Visitor, path: Path) -> None:
    """As a person does it, by the dialog: only that makes the same name a new file."""
    with visitor.page.expect_file_chooser() as dialog:
        visitor.page.get_by_test_id("stFileUploader").get_by_role("button").last.click()
    dialog.value.set_files(path)


def cut_parts(visitor: Visitor) -> list[str]:
    """What of the page is beyond the window's edge."""
    main = visitor.page.locator("[data-testid=stMain]")
    # A chart is drawn a scroll bar's width too wide until it has been told that there is one.
    visitor.page.wait_for_function("main => main.scrollWidth <= main.clientWidth", arg=main.element_handle())
    cut = (
        "parts => parts.filter(part => part.getBoundingClientRect().right > innerWidth + 1).map(part => part.outerHTML)"
    )
    return main.locator("css=:is(img, .js-plotly-plot, iframe, button, h1, h3, dl)").evaluate_all(cut)


def test_a_click_on_the_map_and_on_the_plan_shows_the_frame(visitor: Visitor, site: Path) -> None:
    visitor.open("data=drive&traversal=overcast")
    drawn(visitor, "overcast/000000")
    frames = Frames.load(site / "data" / "drive")
    frame = visitor.page.locator("iframe[title*='st_folium']")
    inside = visitor.page.frame_locator("iframe[title*='st_folium']")
    playwright.expect(inside.locator(".split-label")).to_have_text(["train", "val", "test"])
    frame.evaluate("frame => { frame.contentWindow.still_here = true }")
    i = frames.frame.tolist().index("overcast/000009")
    tab = visitor.page.frames[1]
    at, box = tab.evaluate(POINT_ON_MAP, [frames.lat[i], frames.lon[i]]), frame.bounding_box()
    visitor.page.mouse.click(box["x"] + at[0], box["y"] + at[1])
    drawn(visitor, "overcast/000009")
    assert visitor.asks_for(frame="000009")
    visitor.page.keyboard.press("ArrowRight")
    drawn(visitor, "overcast/000010")
    visitor.page.mouse.click(box["x"] + at[0], box["y"] + at[1])
    drawn(visitor, "overcast/000009")
    assert frame.evaluate("frame => frame.contentWindow.still_here") is True, "the map was drawn anew"

    visitor.choose("Data set", "room")
    plan = visitor.page.locator(".st-key-plan .js-plotly-plot")
    plan.wait_for()
    drawn(visitor, "overcast/000009")
    x, y = frames.position[i + 1, :2].tolist()
    for target in ("overcast/000010", "overcast/000011", "overcast/000010"):
        if target.endswith("11"):
            visitor.page.get_by_role("button", name="Next").click()
        else:
            visitor.page.mouse.click(*plan.evaluate(POINT_ON_PLAN, [x, y]))
        drawn(visitor, target)


def misname(visitor: Visitor) -> list[str]:
    """Send what is pressed as the browser does in the moment in which the map reports itself: in the map's name."""
    names: list[str] = []

    def send(message: str | bytes) -> None:
        said = BackMsg()
        said.ParseFromString(message)
        if said.WhichOneof("type") == "rerun_script" and said.rerun_script.widget_states.widgets:
            names.append(said.rerun_script.fragment_id)
            said.rerun_script.fragment_id = names[0]
        server.send(said.SerializeToString())

    def connect(socket: Any) -> None:
        nonlocal server
        server = socket.connect_to_server()
        socket.on_message(send)

    server: Any = None
    visitor.page.route_web_socket("**/_stcore/stream**", connect)
    return names


def test_no_press_is_lost_beside_the_map_s_report(visitor: Visitor) -> None:
    named = misname(visitor)
    visitor.open("data=drive&traversal=overcast")
    drawn(visitor, "overcast/000000")
    while not named:
        visitor.page.wait_for_timeout(100)
    visitor.page.get_by_role("button", name="Next").click()  # of the same part as the map
    drawn(visitor, "overcast/000001")
    visitor.page.get_by_role("radio", name="Import your own").click()  # of the part around it
    visitor.page.get_by_role("button", name="Check it").wait_for()
    visitor.page.get_by_role("radio", name="Look at it").click()
    drawn(visitor, "overcast/000001")
    visitor.choose("Data set", "room")  # of no part
    visitor.page.locator(".st-key-plan .js-plotly-plot").wait_for()
    assert len(set(named)) >= 3 and "" in named, "nothing was sent in another's name"


def test_import_data_with_faults_see_the_list_mend_import_look_delete(visitor: Visitor, site: Path) -> None:
    page, mine = visitor.page, site / "mine"
    table = (mine / "frames.csv").read_text()
    set_cell(mine, 3, "qw", "nan")
    picture = mine / "night" / "rgb" / "000004.jpg"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    visitor.open("data=drive")
    drawn(visitor, "reference/000000")
    page.get_by_role("radio", name="Import your own").click()
    check = page.get_by_role("button", name="Check it")
    playwright.expect(check).to_be_disabled()
    choose_file(visitor, packed(mine))
    check.click()
    page.get_by_text("2 faults: mend them").wait_for()
    rows = page.locator(".table:visible tbody tr")  # the look view stays mounted, out of sight
    playwright.expect(rows).to_have_count(2)
    assert rows.nth(0).locator("th, td").all_inner_texts()[:4] == ["frames.csv", "3", "qw", "nan"]
    assert "night/rgb/000004.jpg" in rows.nth(1).inner_text() and "truncated" in rows.nth(1).inner_text()
    playwright.expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)

    (mine / "frames.csv").write_text(table)
    picture.write_bytes(whole)
    large = packed(mine, padding=21_000_000)  # more than any other upload of the app may have
    choose_file(visitor, large)
    playwright.expect(page.get_by_text("2 faults: mend them")).to_have_count(0)
    playwright.expect(check).to_be_enabled()
    check.click()
    page.get_by_text("Nothing is wrong.").wait_for()
    playwright.expect(page.locator(".thumbnails img")).to_have_count(6)
    name = page.get_by_role("textbox", name="Name of the data set")
    playwright.expect(name).to_have_value("tiny")
    name.fill("my-walk")
    name.press("Enter")
    visitor.settle()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("heading", name="Data: my-walk").wait_for()
    drawn(visitor, "reference/000000")
    assert visitor.asks_for(data="my-walk")
    assert len(Frames.load(site / "data" / "my-walk")) == 36

    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Delete my-walk with its 36 pictures").wait_for()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("heading", name="Data: town").wait_for()  # the first that is left
    assert sorted(path.name for path in (site / "data").iterdir()) == ["drive", "room"]


def test_photographs_are_sent_checked_imported_and_found(visitor: Visitor, site: Path) -> None:
    """Ten photographs of a street, one without a position: by upload, as from a machine that is not the server."""
    page = visitor.page
    for i in range(10):
        photo(site / "holiday" / f"IMG_{i:04d}.jpg", i, at(LAT + 20 * i * METRE), size=(320, 240))
    photo(site / "holiday" / "scan.jpg", 50, size=(320, 240))
    visitor.open("data=drive&view=Import+your+own")
    page.get_by_role("radio", name="To be converted").click()
    page.get_by_text("What photographs may come with").wait_for()
    playwright.expect(page.get_by_role("button", name="Check it")).to_be_disabled()
    with page.expect_file_chooser() as dialog:
        page.get_by_test_id("stFileUploader").get_by_role("button").last.click()
    dialog.value.set_files(sorted((site / "holiday").iterdir()))
    playwright.expect(page.get_by_label("Or the full path")).to_be_disabled()
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("Nothing is wrong.").wait_for()
    page.get_by_text("1 frame left out: no GPS in its EXIF (scan.jpg)").wait_for()
    page.get_by_text("2 of 2 queries have a true match in the database").wait_for()
    name = page.get_by_role("textbox", name="Name of the data set")
    name.fill("holiday")
    name.press("Enter")
    visitor.settle()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("heading", name="Data: holiday").wait_for()
    visitor.heading("database/000000")
    page.get_by_text("10 frames in 2 traversals, with pictures alone").wait_for()
    page.get_by_text("This data set has no depth.").wait_for()
    assert len(Frames.load(site / "data" / "holiday")) == 10
    shutil.rmtree(site / "data" / "holiday")


def test_on_a_phone_no_form_is_cut(browser, server: str) -> None:
    with Visitor(browser, server, 390, 844) as tab:
        tab.open("data=drive&view=Import+your+own", page="data")
        tab.page.get_by_role("radio", name="To be converted").click()
        for label, title in (
            ("Benchmark", "a benchmark looks"),
            ("RGB-D", "a recording looks"),
            ("Photographs", "may come"),
        ):
            tab.page.get_by_role("radio", name=label, exact=True).click()
            tab.page.get_by_text(title).wait_for()
            assert cut_parts(tab) == []


@pytest.mark.parametrize("query", ["data=drive&traversal=night", "data=room", "data=drive&view=Import+your+own"])
def test_on_a_phone_nothing_is_cut(browser, server: str, query: str) -> None:
    with Visitor(browser, server, 390, 844) as tab:
        tab.open(query, page="data")
        tab.page.get_by_text("Check it" if "view" in query else "How far away things are").wait_for()
        tab.page.wait_for_timeout(800)
        assert cut_parts(tab) == []


@pytest.fixture
def visitor(browser, server: str) -> Iterator[Visitor]:
    """A tab that opens the Data page."""
    with Visitor(browser, server) as tab:
        show = tab.open
        tab.open = lambda query: show(query, page="data")
        yield tab
