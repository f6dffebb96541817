"""A journey through the lessons in a real Chromium, with every address but our own out of reach."""

import json

import pytest
import torch
from browsing import PATIENCE_MS

from butf.losses import triplet_loss

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=PATIENCE_MS)


def board(visitor):
    found = visitor.page.locator(".triplets[data-loss]")
    found.wait_for()
    return found


def state(visitor) -> dict:
    """What the drawing says of itself, its numbers read."""
    values = board(visitor).evaluate("board => ({...board.dataset})")
    return {key: json.loads(value) for key, value in values.items() if key != "ready"}


def agrees_with_the_library(now: dict) -> None:
    points = torch.tensor(now["points"], dtype=torch.float64, requires_grad=True)
    loss = triplet_loss(*points[:, None], now["margin"], now["squared"])
    assert now["loss"] == pytest.approx(loss.item(), abs=1e-9)
    gradient = torch.autograd.grad(loss, points)[0]
    assert torch.allclose(torch.tensor(now["gradient"], dtype=torch.float64), gradient, atol=1e-9)


def test_a_lesson_by_link_a_point_dragged_and_stepped_until_the_loss_is_zero(visitor):
    visitor.open("data=tiny&lesson=Triplets", page="learn")
    first = state(visitor)
    assert first["loss"] > 0
    agrees_with_the_library(first)

    disc = visitor.page.locator(".dot-n .disc")
    disc.scroll_into_view_if_needed()
    box = disc.bounding_box()
    visitor.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + 60, box["y"] - 25, steps=4)
    visitor.page.mouse.up()
    dragged = state(visitor)
    assert dragged["points"][2] != first["points"][2] and dragged["points"][:2] == first["points"][:2]
    assert dragged["loss"] != first["loss"]
    agrees_with_the_library(dragged)

    visitor.page.locator(".dot-p").focus()
    visitor.page.keyboard.press("ArrowUp")
    by_key = state(visitor)
    assert by_key["points"][1][1] == pytest.approx(dragged["points"][1][1] + 0.05)

    visitor.page.get_by_role("button", name="as trained here").click()
    plain = state(visitor)
    assert plain["squared"] is False
    agrees_with_the_library(plain)
    visitor.page.get_by_role("slider", name="Margin lambda").fill("0.4")
    assert state(visitor)["margin"] == 0.4
    agrees_with_the_library(state(visitor))

    step = visitor.page.get_by_role("button", name="Step", exact=True)
    step.click()
    after = state(visitor)
    assert after["steps"] == 1 and after["loss"] < plain["loss"] + 0.15
    visitor.page.get_by_role("button", name="Run to zero").click()
    playwright.expect(visitor.page.locator(".triplets")).to_have_attribute("data-loss", "0")
    playwright.expect(step).to_be_disabled()
    agrees_with_the_library(state(visitor))

    visitor.page.locator(".st-key-lessons").get_by_text("Training", exact=True).click()
    playwright.expect(visitor.page.locator("svg.wide .learns").first).to_be_visible()
    assert visitor.asks_for(lesson="Training")
    main = visitor.page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollHeight <= 900 && main.scrollWidth <= main.clientWidth")
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    playwright.expect(visitor.page.locator("svg.tall")).to_be_visible()
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
