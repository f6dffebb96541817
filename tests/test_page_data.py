"""The Data page in each of its states, by Streamlit's AppTest."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import robotcar_layout
from app_pages import button, hover_maps, html, local_copy, opened, well
from conftest import edit_json
from PIL import Image
from PIL.ExifTags import GPS, IFD
from streamlit.testing.v1 import AppTest
from test_dataset_faults import set_cell

from butf import files, own_data
from butf.dataset.frames import Frames, find_datasets
from butf.locks import FileLock
from butf.training.folder import Run


@pytest.fixture(autouse=True)
def home(apart: Path, tiny_original: Path) -> Path:
    """A shipped data set `town` and one of one's own, `mine`; gives the data folder."""
    for place in ("assets/town", "data/mine"):
        shutil.copytree(tiny_original, apart / place)
    return apart / "data"


def data_page(**query: str) -> AppTest:
    return opened("data", models=[], **query)


def told(app: AppTest) -> str:
    return " ".join(
        found.value for kind in (app.info, app.error, app.caption, app.markdown, app.success) for found in kind
    )


def zipped(root: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, f"{root.name}/{path.relative_to(root)}")
    return stream.getvalue()


def checked(content: bytes, name: str = "drive.zip") -> AppTest:
    app = well(data_page(data="town", view="Import your own"))
    app.file_uploader(key="zip").set_value((name, content, "application/zip")).run()
    return button(app, "Check it").click().run()


def test_map_frame_and_facts(home: Path) -> None:
    app = well(data_page(data="town"))
    page = html(app)
    assert "Data: town" in page and "36 frames in 3 traversals, with depth, semantics" in page
    assert "reference/000000, train" in page and "Depth" in page and "Semantics" in page
    assert "Apache-2.0" in page and "made up for tests" in page and "90° × 67°" in page
    assert page.count('<th scope="row">') == 4 + 1, "three traversals and their sum, one camera"
    assert "Read from all 35 depth maps" in told(app)
    assert len(app.get("plotly_chart")) == 1, "the histogram"
    assert hover_maps(app) == ["Depth of reference/000000: how far away", "Semantics of reference/000000: what it is"]
    assert button(app, "Delete it") is None, "what is shipped stays"


def test_the_address_names_the_frame_and_keys_walk_on(home: Path) -> None:
    app = well(data_page(data="mine", traversal="night", frame="000010"))
    assert "night/000010, test" in html(app)
    app = well(button(app, "Next").click().run())
    assert "night/000011, test" in html(app) and "Not there" in html(app), "it has no depth"
    app = well(button(app, "Next").click().run())
    assert "night/000000, train" in html(app)
    app = well(button(app, "Previous").click().run())
    app = well(app.selectbox(key="traversal").select("overcast").run())
    assert "overcast/000011, test" in html(app), "the same place in another light"
    assert "Click a dot of overcast" in told(app)


def test_an_address_that_names_no_frame(home: Path) -> None:
    assert "reference/000000" in html(well(data_page(data="mine", traversal="<b>", frame="9")))


def test_data_with_metres_only_get_a_plan(home: Path) -> None:
    local_copy(home / "mine", drop=("lat", "lon"))
    app = well(data_page(data="mine"))
    assert len(app.get("plotly_chart")) == 2, "plan and histogram"
    assert "448000.00 m east" in html(app) and "altitude" not in html(app)
    assert not [toggle for toggle in app.toggle if toggle.key == "data-tiles"]


def test_bare_data_show_what_there_is(home: Path) -> None:
    drop = ("lat", "lon", "time_s", "qw", "qx", "qy", "qz", "altitude_m", "traversal", "condition")
    local_copy(home / "mine", drop)
    (home / "mine" / "areas.geojson").unlink()
    (home / "mine" / "dataset.json").write_text("{}")
    app = well(data_page(data="mine"))
    assert "This data set has no depth" in told(app) and "names no camera" in told(app)
    assert "pictures alone" in html(app) and "Looks" not in html(app)


def test_without_queries_the_page_still_shows_the_data(home: Path) -> None:
    manifest = json.loads((home / "mine" / "dataset.json").read_text())
    edit_json(home / "mine" / "dataset.json", traversals=[t | {"role": "reference"} for t in manifest["traversals"]])
    assert "reference/000000" in html(well(data_page(data="mine")))


def test_a_damaged_picture_is_told_and_the_rest_goes_on(home: Path) -> None:
    (home / "mine" / "reference" / "rgb" / "000000.jpg").write_bytes(b"\xff\xd8")
    app = data_page(data="mine")
    assert not app.exception
    (error,) = app.error
    assert "000000.jpg" in error.value
    assert "Semantics" in html(app) and "What is in it" in [head.value for head in app.subheader]


def test_a_broken_data_set_is_told_once_and_can_be_deleted(home: Path) -> None:
    set_cell(home / "mine", 3, "split", "tset")
    app = data_page(data="mine")
    assert not app.exception
    assert [("tset" in error.value) for error in app.error] == [True]
    app = button(app, "Delete it").click().run()
    assert not app.exception and find_datasets().keys() == {"town"}


def test_without_data_it_says_what_to_do_and_takes_the_first(home: Path, tiny_dataset: Path) -> None:
    shutil.rmtree(home)
    shutil.rmtree(files.ASSETS / "town")
    app = well(data_page())
    assert "Import one below, or make one with `python -m butf town" in app.info[0].value
    app.file_uploader(key="zip").set_value(("a.zip", zipped(tiny_dataset), "application/zip")).run()
    app = well(button(app, "Check it").click().run())
    app = well(button(app, "Import").click().run())
    assert find_datasets().keys() == {"tiny"} and "Data: tiny" in html(app)


def test_import_shows_what_was_found_and_only_then_imports(home: Path, tiny_dataset: Path) -> None:
    app = well(checked(zipped(tiny_dataset)))
    assert "Nothing is wrong. The files of all 36 frames were opened." in told(app)
    assert "depth: 35 of 36 frames have it" in told(app)
    assert html(app).count('<img src="data:image/jpeg') == 6 and "36 in 3 traversals" in html(app)
    assert find_datasets().keys() == {"town", "mine"}
    name = app.text_input(key="import-name")
    assert name.value == "tiny"
    app = name.set_value("mine").run()
    app = button(app, "Import").click().run()
    assert "a data set named mine exists already; choose another name" in app.error[0].value
    app.text_input(key="import-name").set_value("../mine").run()
    app = button(app, "Import").click().run()
    assert "cannot name a data set" in app.error[0].value
    app.text_input(key="import-name").set_value("walk").run()
    app = well(button(app, "Import").click().run())
    assert "Data: walk" in html(app) and app.selectbox(key="data").value == "walk"
    assert sorted(path.name for path in home.iterdir()) == ["mine", "walk"]


def test_everything_that_is_wrong_is_listed(home: Path, tiny_dataset: Path) -> None:
    set_cell(tiny_dataset, 3, "qw", "nan")
    (tiny_dataset / "night" / "rgb" / "000004.jpg").write_bytes(b"no picture")
    app = checked(zipped(tiny_dataset))
    assert not app.exception
    assert "2 faults: mend them, then check again" in app.error[0].value
    page = html(app)
    assert "frames.csv" in page and "<td>3</td><td>qw</td>" in page and "night/rgb/000004.jpg" in page
    assert "The map comes once" in told(app) and button(app, "Import") is None
    assert app.get("download_button")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no zip", "drive.zip is not a whole .zip file"), (b"PK\x05\x06" + bytes(18), "drive.zip has no dataset.json")],
)
def test_an_upload_that_is_none(home: Path, content: bytes, words: str) -> None:
    app = checked(content)
    assert not app.exception and words in app.error[0].value
    assert sorted(path.name for path in home.iterdir()) == ["mine"]


def test_another_source_puts_away_what_was_found(home: Path, tiny_dataset: Path) -> None:
    app = well(checked(zipped(tiny_dataset)))
    assert len(list(home.iterdir())) == 2, "unpacked aside"
    app = well(app.get("button_group")[-1].set_value("Folder on this machine").run())
    assert button(app, "Import") is None and len(list(home.iterdir())) == 1
    assert button(app, "Check it").disabled
    app = app.text_input[0].set_value(str(tiny_dataset)).run()
    app = well(button(app, "Check it").click().run())
    assert f"What was found in {tiny_dataset}" in [head.value for head in app.subheader]
    app = well(button(app, "Import").click().run())
    assert len(Frames.load(home / "tiny")) == 36 and tiny_dataset.is_dir()


def way(label: str) -> AppTest:
    """The import form with one of the ways to convert chosen."""
    app = well(data_page(data="town", view="Import your own"))
    app = well(app.get("button_group")[-2].set_value("To be converted").run())
    return well(app.get("button_group")[-1].set_value(label).run())


def field(app: AppTest, label: str):
    return next(field for field in (*app.text_input, *app.number_input) if label in field.label)


def jpeg(shade: int, **gps: float) -> bytes:
    stream = io.BytesIO()
    exif = Image.Exif()
    if gps:
        ifd = exif.get_ifd(IFD.GPSInfo)
        ifd[GPS.GPSLatitudeRef], ifd[GPS.GPSLatitude] = "N", (gps["lat"], 0.0, 0.0)
        ifd[GPS.GPSLongitudeRef], ifd[GPS.GPSLongitude] = "E", (gps["lon"], 0.0, 0.0)
    Image.new("RGB", (40, 30), (shade, 90, 200 - shade)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("label", ["RGB-D", "Benchmark", "Photographs", "RobotCar"])
def test_a_folder_that_is_none_is_told(home: Path, label: str) -> None:
    app = way(label)
    assert button(app, "Check it").disabled
    app = field(app, "ull path").set_value("/no/such/place").run()
    app = button(app, "Check it").click().run()
    assert not app.exception and "/no/such/place is not a folder on this machine" in app.error[0].value


def test_robotcar_traversals_are_checked_and_imported(home: Path, tmp_path: Path) -> None:
    root = robotcar_layout.write_plain(tmp_path / "drives")
    app = way("RobotCar")
    field(app, "ull path").set_value(str(root)).run()
    field(app, "A frame each").set_value(20.0).run()
    field(app, "Traversal that is").set_value("2014").run()
    app = button(app, "Check it").click().run()
    assert not app.exception and "no traversal '2014' to be the reference" in app.error[0].value
    field(app, "Traversal that is").set_value("").run()
    app = well(button(app, "Check it").click().run())
    assert "Nothing is wrong" in told(app) and "4 in 2 traversals" in html(app)
    assert "less than 20 m from the frame before" in told(app)
    app = well(button(app, "Import").click().run())
    frames = Frames.load(home / "drives")
    assert frames.conditions == ["night-rain", "overcast"]
    assert sorted(frames.modalities) == ["depth", "points", "reflectance", "returns"]


def test_photographs_are_uploaded_checked_and_imported(home: Path) -> None:
    app = way("Photographs")
    files = [(f"IMG {i}.jpg", jpeg(20 * i, lat=48.0001 + i / 1e5, lon=2.0), "image/jpeg") for i in range(5)]
    files.append(("../../IMG 0.jpg", jpeg(200), "image/jpeg"))
    app.file_uploader(key="photos").set_value(files).run()
    assert field(app, "Or the full path").disabled
    app = well(button(app, "Check it").click().run())
    assert "Nothing is wrong" in told(app) and "5 in 2 traversals" in html(app)
    assert "1 frame left out: no GPS in its EXIF" in told(app)
    assert "1 of 1 queries have a true match in the database" in told(app)
    app = well(button(app, "Import").click().run())
    frames = Frames.load(home / "my-photos")
    assert len(frames) == 5 and "Data: my-photos" in html(app)
    assert (home / "my-photos" / "sources.csv").read_text().count("IMG") == 6
    assert sorted(path.name for path in home.iterdir()) == ["mine", "my-photos"]


def test_photographs_in_a_zip_with_a_table(home: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(4):
            archive.writestr(f"walk/images/{i}.jpg", jpeg(30 * i))
        rows = [f"{i}.jpg,{48 + i / 1e5},2.0,{'query' if i == 3 else 'database'}" for i in range(4)]
        archive.writestr("walk/table.csv", "\n".join(["image,Lat,Lng,role", *rows]))
    app = way("Photographs")
    app.file_uploader(key="photos").set_value(("walk.zip", stream.getvalue(), "application/zip")).run()
    app = well(button(app, "Check it").click().run())
    app = well(button(app, "Import").click().run())
    frames = Frames.load(home / "walk")
    assert len(frames) == 4 and frames.queries("test")["queries"].tolist() == [3]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a.jpg", b"no picture", "image/jpeg")], "none of 1 photographs has a position"),
        ([("a.jpg", jpeg(1, lat=48, lon=2), "image/jpeg")], "one photograph has a position, expected two or more"),
        ([("a.zip", b"no zip", "application/zip")], "a.zip is not a whole .zip file"),
        ([("a.csv", b"image,lat\n1.jpg,48", "text/csv")], "has no photograph (.jpg, .jpeg or .png)"),
    ],
)
def test_photographs_that_are_none(home: Path, files: list, words: str) -> None:
    app = way("Photographs")
    app.file_uploader(key="photos").set_value(files).run()
    app = button(app, "Check it").click().run()
    assert not app.exception and words in app.error[0].value
    assert sorted(path.name for path in home.iterdir()) == ["mine"]


def test_a_benchmark_is_converted(home: Path, tmp_path: Path) -> None:
    for part, shift in (("database", 0), ("queries", 5)):
        (tmp_path / "walk" / part).mkdir(parents=True)
        for i in range(3):
            path = tmp_path / "walk" / part / f"@{500000 + 50 * i}@{5400000 + shift}@.jpg"
            path.write_bytes(jpeg(10 * i + 100 * (shift > 0)))
    app = way("Benchmark")
    app = field(app, "Full path").set_value(str(tmp_path / "walk")).run()
    app = button(app, "Check it").click().run()
    assert "names no UTM zone" in app.error[0].value
    app = field(app, "UTM zone").set_value("31N").run()
    app = well(button(app, "Check it").click().run())
    assert "3 of 3 queries have a true match" in told(app)
    app = well(button(app, "Import").click().run())
    assert Frames.load(home / "walk").origin["utm_zone"] == "31N"


def test_delete_says_what_goes_and_goes_on_with_another(home: Path) -> None:
    app = well(data_page(data="mine"))
    assert "Delete mine with its 36 pictures, depth, semantics and tables" in told(app)
    app = well(button(app, "Delete it").click().run())
    assert find_datasets().keys() == {"town"} and "Data: town" in html(app)


def test_what_is_trained_on_is_not_deleted(home: Path) -> None:
    run = Run.create("busy", {"method": "bu-tf", "data": "mine"}, ["train"])
    run.write_status(state="running")
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    try:
        app = button(data_page(data="mine"), "Delete it").click().run()
    finally:
        lock.release()
    assert "mine is being trained on by run busy; stop it" in app.error[0].value
    assert "mine" in find_datasets() and "Data: mine" in html(app)


def test_switched_off_the_rest_works(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    app = well(data_page(data="mine"))
    assert "reference/000000" in html(app) and button(app, "Delete it") is None
    app = well(data_page(data="mine", view="Import your own"))
    assert "switched off here (BUTF_NO_TRAINING)" in app.info[0].value
    assert not app.get("file_uploader") and button(app, "Check it") is None


def test_the_ways_in_are_a_list(home: Path) -> None:
    from pages.data_fields import UPLOAD_MB
    from pages.data_ways import READY, WAYS

    app = well(data_page(data="mine", view="Import your own"))
    assert app.get("button_group")[-2].options == list(dict.fromkeys(way.group for way in WAYS))
    assert app.get("button_group")[-1].options == [way.label for way in WAYS if way.group == READY]
    assert f"at most {UPLOAD_MB} MB" in app.file_uploader(key="zip").label
    assert own_data.Limits().total > UPLOAD_MB * 1e6
