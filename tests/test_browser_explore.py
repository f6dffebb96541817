"""Journeys through the linked views of Explore and through Home in a real Chromium."""

import json
from pathlib import Path

import numpy as np
import pytest
from browsing import PATIENCE_MS, VIEW

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=PATIENCE_MS)


def pressed(visitor):
    return visitor.page.locator('[data-pick][aria-pressed="true"]')


def test_a_picture_chooses_its_mark_and_a_mark_its_picture(visitor):
    visitor.open(VIEW + "&look=Files")
    visitor.heading("overcast/000008")
    playwright.expect(pressed(visitor)).to_have_attribute("data-pick", "1 my-bu-tf")
    visitor.page.locator('[data-pick="3 my-hallucination"]').click()
    playwright.expect(pressed(visitor)).to_have_attribute("data-pick", "3 my-hallucination")
    chosen = visitor.page.frame_locator("iframe[title*='st_folium']").locator('svg.mark-svg[aria-label*=", chosen"]')
    playwright.expect(chosen).to_have_count(1)
    assert "my-hallucination: candidate 3" in chosen.get_attribute("aria-label")
    assert visitor.asks_for(by="my-hallucination", rank="3")

    other = visitor.page.frame_locator("iframe[title*='st_folium']").locator(
        'svg.mark-svg[aria-label^="my-image-only: candidate 2"]'
    )
    other.dispatch_event("click")
    playwright.expect(pressed(visitor)).to_have_attribute("data-pick", "2 my-image-only")
    playwright.expect(chosen).to_have_count(1)
    assert "my-image-only: candidate 2" in chosen.get_attribute("aria-label")


def test_a_picture_is_chosen_by_keyboard_and_keeps_the_focus(visitor):
    visitor.open(VIEW + "&look=Files")
    visitor.heading("overcast/000008")
    visitor.page.locator('[data-pick="2 my-bu-tf"]').focus()
    visitor.page.keyboard.press("Enter")
    playwright.expect(pressed(visitor)).to_have_attribute("data-pick", "2 my-bu-tf")
    visitor.settle()
    assert visitor.page.evaluate("document.activeElement.dataset.pick") == "2 my-bu-tf"


def test_swiping_by_keyboard_and_the_files(visitor, tmp_path):
    visitor.open(VIEW + "&look=Swipe")
    visitor.heading("Reconstructed by my-bu-tf")
    swipe = visitor.page.get_by_role("slider", name="How much of the photograph covers: Reconstructed by my-bu-tf")
    before = float(swipe.input_value())
    swipe.focus()
    for _ in range(4):
        visitor.page.keyboard.press("ArrowRight")
    assert float(swipe.input_value()) == before + 2
    assert (
        visitor.page.locator("figure.swipe").first.evaluate("figure => figure.style.getPropertyValue('--at')") == "52%"
    )

    visitor.page.get_by_role("radio", name="Files").click()
    visitor.page.get_by_role("button", name="Answers, JSON").wait_for()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Answers, JSON").click()
    record = json.loads(Path(download.value.path()).read_text())
    assert [model["model"] for model in record["models"]] == ["my-image-only", "my-hallucination", "my-bu-tf"]
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="NPY").first.click()
    assert download.value.suggested_filename == "tiny-overcast-000008-reconstructed.npy"
    assert np.load(download.value.path(), allow_pickle=False).shape == (64, 96)
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Picture, PNG").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_home_leads_to_its_example_on_explore(visitor):
    visitor.open(page="")
    visitor.page.get_by_role("heading", name="Find the place").wait_for()
    visitor.settle()
    words = visitor.page.locator(".story .step p").first.inner_text()
    visitor.page.get_by_role("link", name="Look closer").click()
    visitor.page.locator("section.answer").first.wait_for()
    visitor.heading(words.split(",")[0])
    playwright.expect(visitor.page.locator("section.answer")).to_have_count(3)
