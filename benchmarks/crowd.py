"""Several visitors who click at once in real browsers: seconds to an answer, and the server's memory over the clicks.

Each visitor has a browser context of its own on Explore and asks for the next query as soon as the last one is drawn
(the new heading stands there and nothing on the page is stale). Memory is what the server's process holds, read from
/proc before and after. Visitors and server share the machine: the browsers' own work is in the times.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks._serving import BROWSER_OPTIONS, SETTLED, chromium_path, serving

GOAL_S = 3.0
ANSWERED = f"""before => {{
  const heading = document.querySelector('[data-testid=stMainBlockContainer] h3.panel')
  return heading && heading.innerText !== before && ({SETTLED})()
}}"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks crowd", description=__doc__)
    parser.add_argument("--visitors", type=int, default=10, help="browsers at once (default 10)")
    parser.add_argument("--clicks", type=int, default=100, help="queries each of them asks for (default 100)")
    parser.add_argument("--view", default="look=Files", help="the address's query, say data=town&look=Why")
    options = parser.parse_args(argv)
    browser = chromium_path()
    with serving() as address:
        seconds, memory = asyncio.run(crowd(browser, address, options.view, options.visitors, options.clicks))
    report(seconds, memory)


async def crowd(
    browser: str, address: str, view: str, visitors: int, clicks: int
) -> tuple[list[float], list[tuple[int, float]]]:
    """Seconds of each click, and (clicks so far, MB held by the server) about ten times over them."""
    from playwright.async_api import async_playwright

    seconds: list[float] = []
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=browser, args=list(BROWSER_OPTIONS))
        pages = [await _opened(chromium, f"{address}/explore?{view}") for _ in range(visitors)]
        for page in pages:  # one click that does not count: what is made once is made here
            await _next(page)
        memory = [(0, resident_mb(address))]
        every = max(1, clicks // 10)

        async def visit(page: Any, first: bool) -> None:
            for click in range(1, clicks + 1):
                seconds.append(await _next(page))
                if first and click % every == 0:
                    memory.append((len(seconds), resident_mb(address)))

        await asyncio.gather(*(visit(page, number == 0) for number, page in enumerate(pages)))
        await chromium.close()
    return seconds, memory


async def _opened(chromium: Any, address: str) -> Any:
    context = await chromium.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(300_000)
    await page.goto(address)
    await page.wait_for_function(ANSWERED, arg="")
    return page


async def _next(page: Any) -> float:
    before = await page.locator("h3.panel").first.inner_text()
    start = time.perf_counter()
    await page.get_by_role("button", name="Next").click()
    await page.wait_for_function(ANSWERED, arg=before)
    return time.perf_counter() - start


def resident_mb(address: str) -> float:
    """What the process that serves an address holds in memory, in MB; not a number where /proc does not tell."""
    port = str(urlsplit(address).port)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
            if "streamlit" in words and port in words:
                held = (folder / "status").read_text().partition("VmRSS:")[2].split()[0]
                return int(held) / 1024
        except (OSError, IndexError):
            continue  # it ended while we looked
    return float("nan")


def report(seconds: list[float], memory: list[tuple[int, float]]) -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    print(f"answer, median      {statistics.median(ordered):6.2f} s of {len(ordered)} clicks")
    print(f"answer, p95         {p95:6.2f} s (goal: under {GOAL_S:g} s)")
    print(f"answer, slowest     {ordered[-1]:6.2f} s")
    print("memory of the server, MB, after so many clicks: " + ", ".join(f"{n}: {mb:.0f}" for n, mb in memory))
