"""What a training process frees it keeps: counted by the system, in a process of its own."""

import subprocess
import sys

import pytest

COUNTED = """
import resource, sys
import torch
from butf.training.memory import keep_freed

kept = keep_freed() if sys.argv[1] == "keep" else None

def step():
    return torch.ones(64, 96, 60, 80).sum()  # 118 MB, as a step's maps: more than the C library ever keeps by itself

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

step()
before = faults()
for _ in range(10):
    step()
print(kept, faults() - before)
"""


def pages_taken(way: str) -> tuple[str, int]:
    """What `keep_freed` said, and how often ten steps had to ask the system for a page."""
    done = subprocess.run([sys.executable, "-c", COUNTED, way], capture_output=True, text=True, check=True)
    said, count = done.stdout.split()
    return said, int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is told")
def test_what_a_step_frees_is_there_for_the_next():
    _, let_go = pages_taken("let go")
    said, kept = pages_taken("keep")
    assert said == "True" and 20 * kept < let_go


@pytest.mark.skipif(sys.platform != "linux", reason="its limits are Linux's")
def test_a_process_that_may_have_little_memory_goes_on():
    limited = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))\n" + COUNTED
    done = subprocess.run([sys.executable, "-c", limited, "keep"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "True"
