"""Guesses of the places that unlabelled pictures show: the labelled frame that a describer finds most like each."""

import numpy as np

UNKNOWN = -1
REACH = 3


def guess_places(
    asked: np.ndarray, known: np.ndarray, position: np.ndarray, traversal: np.ndarray, apart_m: float, share: float
) -> np.ndarray:
    """For each of E pictures the most similar of K labelled ones, or UNKNOWN: `(E,)`.

    `asked` `(E, D)` and `known` `(K, D)` are unit descriptors, `position` `(K, 3)` metres; labelled pictures `apart_m`
    or more apart show different places. `traversal` `(E,)` names the drive of each picture, rows in driving order.
    A guess is the surer the more of its neighbours in the drive are guessed to be near it, and then the farther its
    likeness is ahead of that of any other place; of each drive the surest `share` is kept.
    """
    likeness = asked @ known.T
    best = likeness.argmax(axis=1)
    lead = np.empty(len(best))
    for row, answer in enumerate(best):
        elsewhere = np.linalg.norm(position - position[answer], axis=1) >= apart_m
        lead[row] = likeness[row, answer] - likeness[row].max(where=elsewhere, initial=-1.0)
    guessed = np.full(len(best), UNKNOWN)
    for drive in np.unique(traversal):
        own = np.flatnonzero(traversal == drive)
        backing = agreement(position[best[own]], apart_m)
        surest = own[np.lexsort((-lead[own], -backing))[: round(share * len(own))]]
        guessed[surest] = best[surest]
    return guessed


def agreement(position: np.ndarray, apart_m: float) -> np.ndarray:
    """How many of the REACH frames before and after each lie less than `apart_m` from it: `(N, 3)` metres -> `(N,)`."""
    backing = np.zeros(len(position), np.int64)
    for step in range(1, REACH + 1):
        near = np.linalg.norm(position[step:] - position[:-step], axis=1) < apart_m
        backing[step:] += near
        backing[:-step] += near
    return backing
