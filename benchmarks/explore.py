"""One query through the warm app in a real browser: seconds from the click to the drawn page.

Drawn means: the new query and its depth maps are on the page, every picture of every candidate is decoded, the map has
its marks, and Streamlit is done. Needs Chromium and playwright; nothing but the app is asked for anything.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks._serving import SETTLED, chromium_path, launched, serving

GOAL_S = 1.0
DRAWN = f"""before => {{
  const main = document.querySelector('[data-testid=stMainBlockContainer]')
  const heading = main && main.querySelector('h3.panel')
  if (!heading || heading.innerText === before) return false
  if (!({SETTLED})()) return false
  const pictures = [...main.querySelectorAll('img')]
  if (!pictures.length || pictures.some(picture => !picture.complete || !picture.naturalWidth)) return false
  if ([...main.querySelectorAll('.stPlotlyChart')].some(chart => !chart.querySelector('.js-plotly-plot'))) return false
  const frame = main.querySelector('iframe[title*=st_folium]')
  return !frame || frame.contentDocument.querySelectorAll('svg.mark-svg').length > 0
}}"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks explore", description=__doc__)
    parser.add_argument("--clicks", type=int, default=20, help="queries to walk through (default 20)")
    parser.add_argument("--view", default="", help="the address's query, say data=town&condition=night")
    options = parser.parse_args(argv)
    with serving() as address, launched(chromium_path()) as chromium:
        first, clicks = walk(chromium, f"{address}/explore?{options.view}", options.clicks)
    report(first, clicks)


def walk(chromium: Any, address: str, clicks: int) -> tuple[list[float], list[float]]:
    """Seconds to open the page, cold and then warm, and seconds of each click on Next after one that does not count."""
    opened = []
    for _ in range(2):
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(600_000)
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function(DRAWN, arg="")
        opened.append(time.perf_counter() - start)
    return opened, [_next(page) for _ in range(clicks + 1)][1:]


def _next(page: Any) -> float:
    before = page.locator("h3.panel").first.inner_text()
    start = time.perf_counter()
    page.get_by_role("button", name="Next").click()
    page.wait_for_function(DRAWN, arg=before)
    return time.perf_counter() - start


def report(opened: list[float], clicks: list[float]) -> None:
    ordered = sorted(clicks)
    print(f"opening the page    {opened[0]:6.2f} s on a fresh server, {opened[1]:.2f} s on a warm one")
    print(
        f"next query, median  {statistics.median(ordered):6.2f} s of {len(ordered)} clicks (goal: under {GOAL_S:g} s)"
    )
    print(f"next query, slowest {ordered[-1]:6.2f} s")
