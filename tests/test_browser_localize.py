"""A journey through Localize in a real Chromium, on what is shipped: from a query to a pose to a picture drawn into."""

import pytest
from browsing import PATIENCE_MS
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=PATIENCE_MS)

QUERY = "data=town&models=bu-tf&condition=overcast&query=overcast%2F200000"


def test_a_shipped_query_is_localized_drawn_into_and_taken_home(visitor, tmp_path):
    visitor.open(QUERY, page="localize")
    page = visitor.page
    page.get_by_text("Localized, ").wait_for()
    page.get_by_text("As localized").wait_for()
    playwright.expect(page.locator('[data-pick][aria-pressed="true"]')).to_have_count(1)
    playwright.expect(page.locator("svg.matches, .matches svg").first).to_be_visible()
    page.frame_locator("iframe[title*='st_folium']").locator("svg.mark-svg").first.wait_for()
    drawn = page.get_by_role("img", name="The photo with sign, arrows, object drawn into it")
    before = drawn.get_attribute("src")

    page.get_by_role("slider", name="Error of the position, m").press("ArrowRight")
    page.get_by_text("Wrong by 0.10 m and 0.00°").wait_for()
    playwright.expect(drawn).not_to_have_attribute("src", before)

    with page.expect_download() as download:
        page.get_by_role("button", name="Picture, PNG").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width / picture.height == pytest.approx(256 / 192)
    assert path.name.endswith("-augmented.png") and "200000" in path.name
