"""Several visitors who click at once: seconds to the server's whole answer, and its memory over the clicks.

Each visitor is a client of the app's own websocket: it opens Explore, presses Random at the same moment as all others,
and takes all messages of the answer; when everyone has an answer they press again. No browser draws anything, so that
ten of them fit on this machine; `python -m benchmarks explore` measures one with a real browser.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks._serving import server_process, serving
from butf.commands.common import add_json, write_result
from butf.errors import BadInput

GOAL_S = 3.0


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks crowd", description=__doc__)
    parser.add_argument("--visitors", type=int, default=10, help="clients at once (default 10)")
    parser.add_argument("--clicks", type=int, default=100, help="queries each of them asks for (default 100)")
    parser.add_argument("--view", default="", help="the address's query, say data=town&look=Files")
    add_json(parser)
    options = parser.parse_args(argv)
    with serving() as address:
        seconds, memory = asyncio.run(crowd(address, options.view, options.visitors, options.clicks))
    result = {"visitors": options.visitors, "seconds": seconds, "memory_mb": memory}
    write_result(options.json, result, report(seconds, memory))


async def crowd(address: str, view: str, visitors: int, clicks: int) -> tuple[list[float], list[tuple[int, float]]]:
    """Seconds of each click, and (clicks so far, MB held by the server) about ten times over them."""
    seconds: list[float] = []
    everyone = [await Visitor.opened(address, view) for _ in range(visitors)]
    for visitor in everyone:  # one click that does not count: what is made once is made here
        await visitor.press("Random")
    memory = [(0, resident_mb(address))]

    for click in range(1, clicks + 1):
        seconds += await asyncio.gather(*(visitor.press("Random") for visitor in everyone))
        if click % max(1, clicks // 10) == 0:
            memory.append((len(seconds), resident_mb(address)))
    return seconds, memory


@dataclass
class Visitor:
    """One client: its socket, the address's query, and by name the ids of the buttons that it was shown and of the
    parts of the page that they draw anew."""

    socket: Any
    view: str
    buttons: dict[str, tuple[str, str]]

    @classmethod
    async def opened(cls, address: str, view: str) -> Visitor:
        """Connect and take the first answer, as a browser does that opens the page."""
        import websockets

        parts = urlsplit(address)
        uri = f"ws://{parts.netloc}/_stcore/stream"
        socket = await websockets.connect(uri, subprotocols=["streamlit"], origin=address, max_size=None)
        visitor = cls(socket, view, {})
        await visitor._answered(None)
        return visitor

    async def press(self, label: str) -> float:
        """Press a button; seconds until the script has told everything."""
        start = time.perf_counter()
        await self._answered(self.buttons[label])
        return time.perf_counter() - start

    async def _answered(self, pressed: tuple[str, str] | None) -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        asked = BackMsg()
        asked.rerun_script.query_string = self.view
        asked.rerun_script.page_name = "explore"
        if pressed is not None:
            button, asked.rerun_script.fragment_id = pressed
            asked.rerun_script.widget_states.widgets.add(id=button, trigger_value=True)
        await self.socket.send(asked.SerializeToString())
        while True:
            told = ForwardMsg.FromString(await self.socket.recv())
            kind = told.WhichOneof("type")
            element = told.delta.new_element if kind == "delta" else None
            if element is not None and element.WhichOneof("type") == "button":
                self.buttons[element.button.label] = element.button.id, told.delta.fragment_id
            elif element is not None and element.WhichOneof("type") == "exception":
                raise BadInput(f"the app failed: {element.exception.message}")
            elif kind == "script_finished" and told.script_finished in (
                ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
            ):  # fmt: skip
                return


def resident_mb(address: str) -> float:
    """What the process that serves an address holds in memory, in MB; not a number where /proc does not tell."""
    process = server_process(address)
    try:
        return int((process / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return float("nan")


def p95(seconds: list[float]) -> float:
    """What 95 % of the answers took at most."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def report(seconds: list[float], memory: list[tuple[int, float]]) -> str:
    lines = (
        f"answer, median      {statistics.median(seconds):6.2f} s of {len(seconds)} clicks",
        f"answer, p95         {p95(seconds):6.2f} s (goal: under {GOAL_S:g} s)",
        f"answer, slowest     {max(seconds):6.2f} s",
        "memory of the server, MB, after so many clicks: " + ", ".join(f"{n}: {mb:.0f}" for n, mb in memory),
    )
    return "\n".join(lines)
