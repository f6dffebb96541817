"""Each page opened in a fresh browser on a warm server: seconds to its first content, and to all of it.

First content is a heading of a part in sight, a picture, or Train's form in the page's main part; all of it means that
Streamlit is done, every picture in sight is decoded and every chart is drawn. Each page is opened once before,
uncounted: that is what "warm" means here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from tqdm import tqdm

from benchmarks._serving import SETTLED, chromium_path, launched, serving
from butf.commands.common import add_json, text_table, write_result

PAGES = ("", "explore", "compare", "train", "data", "learn", "localize")
GOAL_S = 3.0
BEGUN = """() => !!document.querySelector(
  '[data-testid=stMainBlockContainer] :is(h2, h3, img, .st-key-new-run [role=combobox])')"""
DRAWN = f"""() => {{
  const main = document.querySelector('[data-testid=stMainBlockContainer]')
  if (!main || !main.querySelector('h1, h2, h3') || !({SETTLED})()) return false
  const seen = [...main.querySelectorAll('img')].filter(picture => picture.loading !== 'lazy')
  if (seen.some(picture => !picture.complete)) return false
  return ![...main.querySelectorAll('.stPlotlyChart')].some(chart => !chart.querySelector('.js-plotly-plot'))
}}"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="openings that count, each page (default 3)")
    parser.add_argument("--pages", nargs="+", default=PAGES, help="paths, with their query if need be")
    add_json(parser)
    options = parser.parse_args(argv)
    taken = {}
    with serving() as address, launched(chromium_path()) as chromium:
        for path in tqdm(options.pages, unit="page"):
            _opened(chromium, f"{address}/{path}")
            begun, drawn = zip(*(_opened(chromium, f"{address}/{path}") for _ in range(options.times)), strict=True)
            taken[path or "home"] = {"first_s": begun, "all_s": drawn}  # Home's address is the app's own
    rows = [[name, *(f"{statistics.median(seconds):.2f}" for seconds in row.values())] for name, row in taken.items()]
    header = ("page", f"first content, s (goal: {GOAL_S:g})", "all of it, s")
    write_result(options.json, taken, text_table(header, rows))


def _opened(chromium: Any, address: str) -> tuple[float, float]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(300_000)
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(BEGUN)
    begun = time.perf_counter() - start
    page.wait_for_function(DRAWN)
    drawn = time.perf_counter() - start
    page.close()
    return begun, drawn
