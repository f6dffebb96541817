"""How well a GPU is used: how long it has nothing to do, and its share of what it reaches in products of matrices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

MATRIX, PRODUCTS = 8192, 20


def use_of(
    work: Callable[[], object], launched: Callable[[], object], steps: int, rounds: int, peak: float
) -> dict[str, float]:
    """Of the fastest round of `steps` times the work in a row: `idle`, the share of their time in which the GPU
    computed and copied nothing, `of_peak`, their products a second over `peak`, and the milliseconds of one.

    `launched` is the same work launched kernel by kernel: what is replayed from a graph, torch cannot count.
    """
    with FlopCounterMode(display=False) as counter:
        launched()
    torch.cuda.synchronize()
    seconds = min(_seconds(work, steps) for _ in range(rounds)) / steps
    with profile(activities=[ProfilerActivity.CUDA]) as traced:
        for _ in range(steps):
            work()
        torch.cuda.synchronize()
    spans = [event.time_range for event in traced.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    busy = covered((span.start, span.end) for span in spans) / 1e6 / steps
    return {
        "idle": round(1 - busy / seconds, 3),
        "of_peak": round(counter.get_total_flops() / seconds / peak, 5),
        "ms": round(seconds * 1e3, 3),
    }


def _seconds(work: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


@cache
def matrix_peak() -> float:
    """Floating-point operations a second of the card in products of large bf16 matrices."""
    one, other = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        one @ other
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(PRODUCTS):
        one @ other
    torch.cuda.synchronize()
    return 2 * MATRIX**3 * PRODUCTS / (time.perf_counter() - start)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How much of a line some spans cover together."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
