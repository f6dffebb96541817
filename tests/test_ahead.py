"""Pictures made ready ahead of the network: the same batches, no more memory, and no error lost."""

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from butf.networks.ahead import batches_ahead

SIZES = [(4, 3)] * 5 + [(2, 2)] + [(4, 3)] * 2


def pictures(sizes: list[tuple[int, int]] = SIZES) -> Iterator[Image.Image]:
    return (Image.new("L", size, number) for number, size in enumerate(sizes))


def test_batches_are_neighbours_of_one_shape_in_their_order() -> None:
    found = list(batches_ahead(pictures(), np.array, 2))
    assert [batch.shape for batch in found] == [(2, 3, 4), (2, 3, 4), (1, 3, 4), (1, 2, 2), (2, 3, 4)]
    assert [int(one.max()) for batch in found for one in batch] == list(range(8))
    assert list(batches_ahead([], np.array, 2)) == []


def test_the_next_batch_is_taken_while_this_one_is_used_and_no_further_one() -> None:
    taken, whole = [], threading.Event()

    def source() -> Iterator[Image.Image]:
        for number, picture in enumerate(pictures([(4, 3)] * 12)):
            taken.append(number)
            if number == 4:  # one more than the second batch has: only then is its end known
                whole.set()
            yield picture

    batches = batches_ahead(source(), np.array, 2)
    next(batches)
    assert whole.wait(20)  # nobody asked for the second batch yet
    assert len(taken) <= 5


def test_an_error_comes_after_the_batches_before_it_and_in_the_callers_thread() -> None:
    def broken() -> Iterator[Image.Image]:
        yield from itertools.islice(pictures(), 4)
        raise OSError("the disk is gone")

    batches = batches_ahead(broken(), np.array, 2)
    assert len(next(batches)) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        list(batches)


def test_who_leaves_early_leaves_no_thread_behind() -> None:
    batches = batches_ahead(pictures(), np.array, 2)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures-ahead")]
