"""Journeys through the sections of Compare in a real Chromium, with every address but our own out of reach."""

import pytest
from browsing import PATIENCE_MS, VIEW, Visitor

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=PATIENCE_MS)

PIXELS = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
  return data.filter((value, k) => k % 4 === 3 && value > 0).length
}"""


def opened(tab: Visitor, section: str, more: str = "") -> None:
    tab.open(f"{VIEW}&section={section}{more}", "compare")
    tab.page.locator("[data-testid=stMain] h3.panel, .failure").first.wait_for()
    tab.page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")


def plot(tab: Visitor, number: int = 0):
    return tab.page.locator("canvas.dmap-plot").nth(number)


def test_sections_and_pair_are_kept_in_the_address(visitor):
    opened(visitor, "Pairs")
    visitor.choose("Against", "my-hallucination")
    visitor.page.get_by_text("where my-hallucination is wrong").first.wait_for()
    assert visitor.asks_for(section="Pairs", against="my-hallucination")
    visitor.page.reload()
    visitor.page.get_by_text("where my-hallucination is wrong").first.wait_for()


def test_points_show_pictures_and_are_walked_through_by_key(visitor):
    opened(visitor, "Descriptors")
    playwright.expect(visitor.page.locator("canvas.dmap-plot")).to_have_count(2)
    assert plot(visitor).evaluate(PIXELS) > 100
    card = visitor.page.locator(".dmap-card")
    playwright.expect(card).to_be_hidden()
    plot(visitor).focus()
    names = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        visitor.page.keyboard.press(key)
        playwright.expect(card).to_be_visible()
        names.add(card.locator("b").inner_text())
        assert card.locator("canvas").first.evaluate(PIXELS) > 1000
    assert len(names) > 1
    assert "away on the ground" in visitor.page.locator(".dmap .unseen").inner_text()
    visitor.page.keyboard.press("Escape")
    playwright.expect(card).to_be_hidden()


def test_pointing_shows_a_picture_and_a_query_leads_to_explore(visitor):
    opened(visitor, "Descriptors")
    visitor.page.get_by_role("button", name="database").click()
    box = plot(visitor).bounding_box()
    card = visitor.page.locator(".dmap-card")
    found = False
    for y in range(8, int(box["height"]), 9):
        for x in range(8, int(box["width"]), 9):
            visitor.page.mouse.move(box["x"] + x, box["y"] + y)
            found = card.is_visible()
            if found:
                break
        if found:
            break
    name = card.locator("b").inner_text()
    assert name.split("/")[0] in ("overcast", "night")
    visitor.page.mouse.click(box["x"] + x, box["y"] + y)
    card.get_by_role("link", name="Open on Explore").click()
    visitor.heading(name)
    assert visitor.asks_for(models=VIEW.replace("data=tiny&", "").replace("models=", "").split("&"))


def test_a_failure_leads_to_its_query_on_explore(visitor):
    opened(visitor, "Failures")
    link = visitor.page.locator(".failure a").first
    name = link.inner_text()
    link.click()
    visitor.heading(name)
    playwright.expect(visitor.page.locator("section.answer")).to_have_count(len(VIEW.split("models=")) - 1)


@pytest.mark.parametrize("section", ["Pairs", "Descriptors", "Failures"])
def test_on_a_phone_no_section_is_cut(browser, server, section):
    with Visitor(browser, server, 390, 844) as tab:
        opened(tab, section)
        assert tab.nothing_is_cut()
