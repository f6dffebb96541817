"""Work done ahead in threads: in its order, no further than asked, no error lost. Pictures made into batches."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from butf.networks.ahead import batches, in_order

SHAPES = [(4, 3)] * 5 + [(2, 2)] + [(4, 3)] * 2


def pictures() -> Iterator[np.ndarray]:
    return (np.full(shape, number) for number, shape in enumerate(SHAPES))


def test_batches_are_neighbours_of_one_shape_in_their_order() -> None:
    found = list(batches(pictures(), 2))
    assert [batch.shape for batch in found] == [(2, 4, 3), (2, 4, 3), (1, 4, 3), (1, 2, 2), (2, 4, 3)]
    assert [int(one.max()) for batch in found for one in batch] == list(range(8))
    assert list(batches([], 2)) == []


@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_the_order_of_the_items_however_long_each_takes(threads: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(in_order(work, range(20), threads, 5)) == [item * item for item in range(20)]
    assert list(in_order(work, [], threads, 5)) == []


def test_threads_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)  # passes only when two of them wait at once
    assert list(in_order(lambda item: both.wait() >= 0 and item, [1, 2], 2, 2)) == [1, 2]


def test_what_comes_next_is_made_while_one_is_used_and_no_more_than_asked() -> None:
    made, ahead = [], threading.Event()

    def work(item: int) -> int:
        made.append(item)
        if len(made) == 4:
            ahead.set()
        return item

    results = in_order(work, range(12), 2, 3)
    assert next(results) == 0
    assert ahead.wait(20)  # nobody asked for the next three yet
    time.sleep(0.05)
    assert sorted(made) == [0, 1, 2, 3]
    results.close()


def test_an_error_comes_after_the_results_before_it_and_in_the_callers_thread() -> None:
    def work(item: int) -> int:
        if item == 4:
            raise OSError("the disk is gone")
        return item

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for item in in_order(work, range(9), 2, 6):
            seen.append(item)
    assert seen == [0, 1, 2, 3]


def test_who_leaves_early_leaves_no_thread_behind() -> None:
    results = in_order(lambda item: item, range(9), 2, 3)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
