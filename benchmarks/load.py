"""Many browsers over every page while a training runs: seconds of each press, faults, memory, the training's pace.

Each visitor is a window of its own in a real Chromium, with its own session on the server: it opens Home, goes from
page to page by the sidebar, presses something on each (the next query, another button of a group), and looks at what it
got for a while. The clock is the page's own: from the press to the last change before the page rests. Browsers, server
and training share the processor, so that the seconds hold for this machine under all of them. The training is also
timed alone, before anyone comes: its steps a minute say what it shares, its seconds of the processor a step what it
pays beyond that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._serving import BROWSER_OPTIONS, chromium_path, server_process, serving
from benchmarks.controls import ASKED_EVERY_MS, MAIN, RESTED, TOOK
from benchmarks.crowd import p95, resident_mb
from butf.commands.common import add_json, at_least_one, write_result
from butf.errors import BadInput
from butf.training import runs
from butf.training.folder import Run

GOAL_S = 3.0
PAGES = ("Home", "Explore", "Compare", "Train", "Data", "Learn", "Localize")
QUIET_MS = 400
PATIENCE_MS = 120_000
ALONE_S = 60
NOTED_EVERY_S = 30
TRAINING = {"data": "town", "method": "bu-tf", "start_from": "image-only", "steps": 100_000}
WATCH = """() => {
  window.pressed = window.changed = performance.now()
  for (const kind of ['pointerup', 'keydown'])
    document.addEventListener(kind, () => { window.pressed = window.changed = performance.now() }, true)
  new MutationObserver(() => { window.changed = performance.now() }).observe(
    document.querySelector('[data-testid=stMain]'), {childList: true, subtree: true, characterData: true})
}"""
WRONG = "[data-testid=stException], [data-testid=stAlertContentError]"


@dataclass
class Tally:
    """What the visitors met so far: seconds by what was pressed, faults in words, and (seconds, MB) of the server.

    The slow ones also as (seconds since the start, what was pressed, seconds). And how many cores were kept busy.
    """

    start: float = field(default_factory=time.monotonic)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    slow: list[tuple[int, str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    cores: dict[str, float] = field(default_factory=dict)

    def note(self, pressed: str, seconds: float) -> None:
        self.seconds.setdefault(pressed, []).append(seconds)
        if seconds > GOAL_S:
            self.slow.append((round(time.monotonic() - self.start), pressed, round(seconds, 1)))

    @property
    def every(self) -> list[float]:
        return [second for seconds in self.seconds.values() for second in seconds]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load", description=__doc__)
    parser.add_argument("--visitors", type=at_least_one, default=20, help="browser windows at once (default 20)")
    parser.add_argument("--minutes", type=float, default=30.0, help="for how long they come (default 30)")
    parser.add_argument("--look", type=float, default=10.0, help="seconds that one looks at a page, on average")
    parser.add_argument("--no-training", action="store_true", help="leave the training beside them out")
    add_json(parser)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BUTF_RUNS"] = folder  # the app's, and the training's
        with serving() as address:
            asyncio.run(warmed(address))
            with training(not options.no_training) as trained:
                begun = standing(trained)
                time.sleep(ALONE_S if trained else 0)
                alone = paid(begun, standing(trained))
                begun = standing(trained)
                tally = asyncio.run(visited(address, options.visitors, options.minutes * 60, options.look))
                beside = paid(begun, standing(trained))
    result = summary(tally, alone, beside) | {"visitors": options.visitors, "minutes": options.minutes}
    write_result(options.json, result, text(result))


@contextmanager
def training(wanted: bool) -> Iterator[Run | None]:
    """A training of the demo town, started as Train starts it, ended with it; None where none is wanted."""
    if not wanted:
        yield None
        return
    run = runs.start(TRAINING, "beside")
    try:
        while not run.metrics():
            if run.state().state not in ("queued", "running"):
                raise BadInput(f"the training ended: {run.log_tail()}")
            time.sleep(1)
        yield run
    finally:
        runs.stop(run)


def standing(run: Run | None) -> tuple[float, float, int] | None:
    """Where a training is: the clock, its seconds of the processor, and its steps; None without one."""
    if run is None:
        return None
    return time.monotonic(), processor_s(Path(f"/proc/{run.pid()}")), run.metrics()[-1]["step"]


def processor_s(process: Path) -> float:
    """Seconds of the processor that a process, a folder in /proc, has had; 0 when it is gone."""
    try:
        words = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def busy_s(server: Path) -> dict[str, float]:
    """Seconds of the processor that the server has had, all of Chromium that runs now, and nobody (on all cores)."""
    idle = sum(int(ticks) for ticks in Path("/proc/stat").read_text().split()[4:6]) / os.sysconf("SC_CLK_TCK")
    return {"server": processor_s(server), "browsers": browsers_s(), "idle": idle}


def browsers_s() -> float:
    """Seconds of the processor that all processes of Chromium on this machine have had."""
    return sum(processor_s(process) for process in Path("/proc").glob("[0-9]*") if "chrom" in program(process))


def program(process: Path) -> str:
    """What a process, a folder in /proc, runs; nothing when it is gone."""
    try:
        return (process / "comm").read_text()
    except OSError:
        return ""


def paid(before: tuple[float, float, int] | None, after: tuple[float, float, int] | None) -> dict[str, float]:
    """Steps a minute, and seconds of the processor a step, between two readings; empty without a training."""
    if before is None or after is None:
        return {}
    seconds, spent, steps = (b - a for a, b in zip(before, after, strict=True))
    return {"steps_per_minute": 60 * steps / seconds, "processor_s_per_step": spent / steps if steps else float("nan")}


async def warmed(address: str) -> None:
    """Every page once, uncounted: what a server makes once is made before anyone comes."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=chromium_path(), args=list(BROWSER_OPTIONS))
        page = await opened(chromium, address, Tally())
        for name in PAGES:
            await see(page, Tally(), name, random.Random(0), 1.0)
        await chromium.close()


async def opened(chromium: Any, address: str, tally: Tally) -> Any:
    """A window of its own with Home in it, whose faults are counted."""
    context = await chromium.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    listen(page, tally)
    await page.goto(address)
    await page.wait_for_selector(f"{MAIN} :is(h1, h2, h3)", state="attached")
    await page.evaluate(WATCH)
    return page


async def visited(address: str, visitors: int, seconds: float, look: float) -> Tally:
    """All visitors at once, until the time is over and each has finished what it began."""
    from playwright.async_api import async_playwright

    tally, server = Tally(), server_process(address)
    end, before = tally.start + seconds, busy_s(server)
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=chromium_path(), args=list(BROWSER_OPTIONS))
        noting = asyncio.create_task(note_memory(tally, address))
        await asyncio.gather(*(visit(chromium, address, tally, end, look, number) for number in range(visitors)))
        noting.cancel()
        spent, took = busy_s(server), time.monotonic() - tally.start
        tally.cores = {name: (spent[name] - before[name]) / took for name in spent}
        await chromium.close()
    return tally


async def note_memory(tally: Tally, address: str) -> None:
    while True:
        tally.memory.append((round(time.monotonic() - tally.start), resident_mb(address)))
        await asyncio.sleep(NOTED_EVERY_S)


async def visit(chromium: Any, address: str, tally: Tally, end: float, look: float, number: int) -> None:
    """One visitor: comes within the first looks, and goes from page to page until the end.

    The window stays open, so that its processes can be asked what they had.
    """
    chance = random.Random(number)
    await asyncio.sleep(chance.uniform(0, 2 * look))
    page = await opened(chromium, address, tally)
    while time.monotonic() < end:
        try:
            await see(page, tally, chance.choice(PAGES), chance, look)
        except Exception as error:  # one that waits in vain is a fault to count, not the end of the measurement
            tally.faults.append(f"{page.url}: {str(error).splitlines()[0]}")
            await asyncio.sleep(look)


def listen(page: Any, tally: Tally) -> None:
    """Count what the browser reports as wrong, and on which page."""

    def note(fault: str) -> None:
        tally.faults.append(f"{page.url}: {fault}")

    page.on("console", lambda said: note(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("response", lambda answer: note(f"{answer.url} {answer.status}") if answer.status >= 400 else None)


async def see(page: Any, tally: Tally, name: str, chance: random.Random, look: float) -> None:
    """Go to a page by the sidebar and press something there, each looked at for a while."""
    link = page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True)
    tally.note(f"to {name}", await timed(page, link))
    await asyncio.sleep(chance.expovariate(1 / look))
    buttons = page.locator(MAIN).get_by_role("button", name="Next", exact=True)
    if not await buttons.count():
        buttons = page.locator(MAIN).locator("[role=radio][aria-checked=false]:visible")
    if count := await buttons.count():
        tally.note(f"on {name}", await timed(page, buttons.nth(chance.randrange(count))))
        await asyncio.sleep(chance.expovariate(1 / look))
    tally.faults += [f"{page.url} says: {words}" for words in await page.locator(WRONG).all_inner_texts()]


async def timed(page: Any, control: Any) -> float:
    """Press, wait until the page rests, and give the seconds to its last change."""
    await control.click()
    await page.wait_for_function(RESTED, arg=QUIET_MS, polling=ASKED_EVERY_MS)
    took: float = await page.evaluate(TOOK)
    return max(0.0, took)


def summary(tally: Tally, alone: dict[str, float], beside: dict[str, float]) -> dict[str, Any]:
    rows = {"all": tally.every} | {name: tally.seconds[name] for name in sorted(tally.seconds)}
    return {
        "presses": {
            name: {"count": len(row), "median_s": statistics.median(row), "p95_s": p95(row), "slowest_s": max(row)}
            for name, row in rows.items()
            if row
        },
        "slow": tally.slow,
        "faults": tally.faults,
        "memory_mb": tally.memory,
        "cores": tally.cores,
        "training_alone": alone,
        "training_beside": beside,
    }


def text(result: dict[str, Any]) -> str:
    lines = [
        f"{'pressed':<16}{'count':>7}{'median':>9}{'p95':>9}{'slowest':>9}   (seconds; goal: p95 under {GOAL_S:g})"
    ]
    for name, row in result["presses"].items():
        lines.append(f"{name:<16}{row['count']:>7}{row['median_s']:>9.2f}{row['p95_s']:>9.2f}{row['slowest_s']:>9.2f}")
    memory = result["memory_mb"]
    lines.append("memory of the server, MB, after so many seconds: " + ", ".join(f"{s}: {mb:.0f}" for s, mb in memory))
    lines.append("slower than the goal: " + "; ".join(f"{s} s after {at}, {name}" for at, name, s in result["slow"]))
    lines.append("cores: " + ", ".join(f"{name} {used:.2f}" for name, used in result["cores"].items()))
    for name in ("training_alone", "training_beside"):
        if row := result[name]:
            lines.append(
                f"{name.replace('_', ' ')}: {row['steps_per_minute']:.1f} steps a minute, "
                f"{row['processor_s_per_step']:.2f} seconds of the processor each"
            )
    lines.append(f"{len(result['faults'])} faults" + "".join(f"\n  {fault}" for fault in sorted(set(result["faults"]))))
    return "\n".join(lines)
