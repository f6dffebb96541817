"""Localize in every state, by Streamlit's AppTest."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from app_pages import button, html, local_copy, opened, well
from app_site import write_model
from conftest import edit_json
from PIL import Image
from PIL.ExifTags import Base

from butf.dataset.frames import Frames
from butf.files import REPO
from butf.keypoints.card import KeypointCard
from butf.keypoints.networks import KeypointNetwork
from butf.keypoints.zoo import write_keypoints
from butf.networks import zoo
from butf.pose import confidence
from butf.pose.localizer import Localizer
from butf.pose.views import pose_of

ONE = ["my-image-only", "my-bu-tf"]


@pytest.fixture
def place(site, monkeypatch):
    """The site with keypoints that a run left, as untrained as its models, and weights that can be sure of these."""
    monkeypatch.setitem(confidence.WEIGHTS, "measured", (-20.317, 2.859, 4.397, -2.531, -0.117))
    monkeypatch.setitem(confidence.WEIGHTS, "reconstructed", (-8.494, 0.416, 2.346, -0.636, 0.455))
    torch.manual_seed(0)
    network, card = KeypointNetwork(), KeypointCard("my-keypoints", data="tiny")
    (site / "runs" / "my-keypoints").mkdir()
    write_keypoints(site / "runs" / "my-keypoints" / "model.safetensors", network, card)
    (site / "runs" / "my-keypoints" / "card.json").write_text(card.text())
    return site


def localize(**query):
    return opened("localize", **{"models": ONE, "top": "3", **query})


def photo(size=(96, 64), film_mm: int | None = None, picture: Image.Image | None = None) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    if film_mm:
        exif.get_ifd(0x8769)[Base.FocalLengthIn35mmFilm] = film_mm
    noise = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    (picture or Image.fromarray(noise)).save(stream, "JPEG", exif=exif, quality=95)
    return stream.getvalue()


def said(app) -> str:
    return " ".join(caption.value for caption in app.caption)


def drawn(app) -> list[str]:
    return [image.alt for group in (*app.get("imgs"), *app.get("image")) for image in group.proto.imgs]


def test_a_query_is_localized_and_judged_by_the_truth(place):
    app = well(localize(query="000009"))
    page = html(app)
    assert "Localized, " in page and " off" in page
    assert page.count('data-pick="') >= 3 and 'aria-pressed="true"' in page
    assert 'class="matches"' in page and "agree with the pose" in page
    assert any("drawn into it, 12 m ahead, 2.5 m to the right" in alt for alt in drawn(app))
    assert [button.proto.label for button in app.get("download_button")] == ["Picture, PNG"]
    app = well(localize(query="000009", **{"pose-look": "In numbers"}))
    page = html(app)
    assert "retrieval alone would say" in page and "camera front of data set tiny" in page and "WGS84" in page
    assert [button.proto.label for button in app.get("download_button")] == ["Pose, JSON"]


def test_the_verdict_agrees_with_the_library(place):
    from butf.keypoints.zoo import load_keypoints
    from butf.pose.camera import query_of_frame
    from butf.pose.localizer import Settings

    frames = Frames.load(place / "data" / "tiny")
    i = int(np.flatnonzero(frames.frame == "overcast/000009")[0])
    model = zoo.load("my-bu-tf")
    localizer = Localizer.open(frames, "test", model, load_keypoints("my-keypoints"), Settings(top=3))
    answer = localizer.localize(query_of_frame(frames, i))
    page = html(well(localize(query="000009", retrieve="my-bu-tf")))
    assert f"{answer.inliers:,} keypoints agree" in page
    metres = answer.pose.metres_to(pose_of(frames, i))
    assert f"Localized, {metres:.2f} m" in page or f"Localized, {metres:.1f} m" in page


def test_a_slider_moves_things_without_inference(place, monkeypatch):
    app = well(localize(query="000009"))

    def refuse(*_, **__):
        raise AssertionError("asked again")

    monkeypatch.setattr(Localizer, "stages", refuse)
    monkeypatch.setattr(zoo.Model, "_describe", refuse)
    app = well(app.slider(key="error_deg").set_value(2.0).run())
    assert "Wrong by 0.00 m and 2.00°" in html(app) and "The outline is where the true pose puts it" in html(app)
    app = well(app.number_input(key="ahead").set_value(-8.0).run())
    assert "The goal is behind the camera" in html(app)
    app = well(app.button_group(key="hides").set_value("nothing").run())
    app = well(app.selectbox(key="object").select("Obelisk").run())
    app = well(app.button_group(key="draw").set_value([]).run())
    assert any("with nothing drawn into it" in alt for alt in drawn(app))


def test_depth_may_be_reconstructed_and_space_looked_at(place):
    app = well(localize(depth="reconstructed", **{"pose-look": "In 3-D"}))
    assert [found.key for found in app.get("plotly_chart")] == ["space"]
    assert "of the reconstructed depth of" in said(app)
    app = well(app.button_group(key="depth").set_value("measured").run())
    assert "of the measured depth of" in said(app)


def test_without_measured_depth_it_is_reconstructed_or_said_what_lacks(place):
    for folder in (place / "data" / "tiny").glob("*/depth"):
        shutil.rmtree(folder)
    edit_json(place / "data" / "tiny" / "dataset.json", modalities={})
    app = well(localize())
    assert app.button_group(key="depth").options == ["reconstructed"]
    assert app.button_group(key="hides").options == ["reconstructed", "nothing"]
    app = well(localize(models=["my-image-only"]))
    assert "none of the chosen models reconstructs any" in app.info[0].value


def test_without_orientations_or_a_camera_it_is_said_why_not(place):
    edit_json(place / "data" / "tiny" / "dataset.json", cameras=[])
    assert "does not say which camera took its pictures" in well(localize()).info[0].value
    local_copy(place / "data" / "tiny", drop=("qw", "qx", "qy", "qz"))
    app = well(localize())
    assert "no orientations" in app.info[0].value
    assert drawn(app) == ["The query picture, overcast/000008"]


def test_without_keypoints_it_is_said_how_to_train_them(site):
    app = well(localize())
    assert "train-keypoints" in app.info[0].value
    assert drawn(app) == ["The query picture, overcast/000008"]


def test_without_data_or_models_it_is_said_what_to_do(place):
    app = well(localize())
    app = well(app.multiselect(key="models").set_value([]).run())
    assert "Choose at least one model" in app.info[0].value
    shutil.rmtree(place / "data")
    assert "python -m butf town" in well(localize()).info[0].value


def test_broken_keypoints_are_told_in_one_sentence(place):
    path = place / "runs" / "my-keypoints" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    app = localize()
    assert not app.exception
    assert "model.safetensors" in app.error[0].value
    assert drawn(app) == ["The query picture, overcast/000008"]


def test_a_photo_of_noise_is_honestly_not_localized(place):
    app = well(localize())
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo((120, 90)), "image/jpeg")).run())
    page = html(app)
    assert "Not localized" in page and "Localized, " not in page
    assert "Without a pose nothing can be drawn" in app.info[0].value
    assert not app.get("download_button")
    app = well(app.button_group(key="pose-look").set_value("In 3-D").run())
    assert "There is no pose" in said(app)


def test_a_photo_goes_along_from_explore_until_it_is_put_away(place):
    app = well(opened("explore", models=ONE, top="3"))
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo((120, 90)), "image/jpeg")).run())
    app = well(app.switch_page("pages/localize.py").run())
    assert "Not localized" in html(app) and app.file_uploader(key="photo-0").value is None
    app = well(button(app, "Put mine.jpg away").click().run())
    assert button(app, "Put mine.jpg away") is None and "Not localized" not in html(app)


def test_a_photos_camera_is_from_exif_or_from_the_field_of_view(place):
    frames = Frames.load(place / "data" / "tiny")
    own = frames.image(int(np.flatnonzero(frames.frame == "overcast/000009")[0]))
    app = well(localize(**{"pose-look": "In numbers"}))
    upload = ("mine.jpg", photo(film_mm=24, picture=own), "image/jpeg")
    app = well(app.file_uploader(key="photo-0").set_value(upload).run())
    assert "24 mm of 35 mm film, by the photo&#x27;s EXIF" in html(app)
    app = well(app.number_input(key="view").set_value(90.0).run())
    page = html(app)
    assert "90 degrees across the width, as given" in page
    assert "the true pose is not known" in page and "retrieval alone would say" not in page


def test_a_model_that_needs_depth_leaves_photos_to_the_others(place):
    write_model(place / "runs" / "upper", "rgbd")
    app = well(localize(models=["upper", "my-bu-tf"], retrieve="upper"))
    assert "Localized" in html(app) or "Not localized" in html(app)
    app = well(app.file_uploader(key="photo-0").set_value(("mine.jpg", photo(), "image/jpeg")).run())
    assert "upper: needs the measured side modality" in app.info[0].value
    assert app.button_group(key="retrieve").options == ["my-bu-tf"]


def test_data_without_places_on_the_globe_gets_a_plan(place):
    local_copy(place / "data" / "tiny", drop=("lat", "lon"))
    app = well(localize(query="000009"))
    plan = next(found for found in app.get("plotly_chart") if found.key == "pose-plan")
    names = [trace.get("name") for trace in json.loads(plan.proto.spec)["data"]]
    assert "the camera found" in names and "the true camera" in names


def test_explore_leads_to_the_query_here(place):
    app = well(opened("explore", query="000009"))
    link = next(found.proto for found in app.get("page_link") if "camera" in found.proto.label)
    assert link.page.endswith("localize") and "query=000009" in link.query_string


def test_pages_stay_short():
    for path in REPO.glob("pages/localize*.py"):
        assert len(path.read_text().splitlines()) < 150
