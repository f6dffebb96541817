"""Paired tests against scipy and against known answers."""

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from butf.retrieval.compare import area_groups, gain, mcnemar_exact, paired_permutation, seeded_gain, seeded_interval


def pairs(won: int, lost: int, same: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Hits of two models that disagree on `won + lost` queries."""
    a = np.r_[np.ones(won), np.zeros(lost), np.ones(same)].astype(bool)
    b = np.r_[np.zeros(won), np.ones(lost), np.ones(same)].astype(bool)
    return a, b


@pytest.mark.parametrize(("won", "lost"), [(1, 0), (5, 0), (3, 3), (8, 2), (2, 8), (40, 21), (700, 900)])
def test_mcnemar_is_the_binomial_test_of_the_disagreements(won: int, lost: int) -> None:
    assert mcnemar_exact(*pairs(won, lost)) == pytest.approx(binomtest(won, won + lost).pvalue, rel=1e-9)


def test_models_that_never_disagree() -> None:
    a, b = pairs(0, 0)
    assert mcnemar_exact(a, b) == paired_permutation(a, b) == 1.0
    assert gain(a, b) == 0.0
    assert np.isnan(gain(a[:0], b[:0])) and paired_permutation(a[:0], b[:0]) == 1.0


def test_gain_is_the_difference_of_recalls() -> None:
    assert gain(*pairs(8, 2, 90)) == pytest.approx(0.06)


def test_few_queries_are_permuted_exhaustively_as_scipy_does() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.4, 1, 9), rng.normal(0, 1, 9)
    expected = permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert paired_permutation(a, b) == pytest.approx(expected.pvalue)


def test_on_hits_the_permutation_test_agrees_with_mcnemar() -> None:
    a, b = pairs(24, 11, 200)
    assert paired_permutation(a, b, draws=40_000) == pytest.approx(mcnemar_exact(a, b), abs=0.005)
    assert paired_permutation(a, b) == paired_permutation(a, b)


def test_neighbours_that_flip_together_are_fewer_witnesses() -> None:
    a, b = pairs(12, 0)
    alone = paired_permutation(a, b)
    together = paired_permutation(a, b, groups=np.arange(len(a)) // 4)
    assert alone == pytest.approx(2 / 2**12)
    assert together == pytest.approx(2 / 2**3)


def test_areas_are_squares_of_the_plane() -> None:
    position = np.array([[1.0, 1, 0], [99, 99, 500], [101, 1, 0], [-1, 1, 0], [150, 20, 3]])
    groups = area_groups(position, 100)
    assert groups[0] == groups[1] and groups[2] == groups[4]
    assert len(set(groups.tolist())) == 3


def test_results_of_other_queries_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="same queries"):
        mcnemar_exact(np.ones(3), np.ones(4))


def test_seeded_gain_flips_a_query_under_all_seeds_together() -> None:
    """8 queries won under each of 3 seeds: 2 of the 2^8 sign patterns are as extreme, not 2 of 2^24."""
    won, lost = np.ones((3, 8)), np.zeros((3, 8))
    found = seeded_gain(won, lost)
    assert found.gain == 1.0 and found.by_seed == (1.0, 1.0, 1.0) and found.interval95 == (1.0, 1.0)
    assert found.p == pytest.approx(2 / 2**8)


def test_seeded_gain_of_equals_is_none() -> None:
    hits = np.random.default_rng(1).random((3, 40)) < 0.5
    found = seeded_gain(hits, hits)
    assert found.gain == 0.0 and found.p == 1.0 and found.interval95 == (0.0, 0.0)


def test_seeded_gain_rarely_claims_what_is_not_there() -> None:
    """Two methods of the same strength on correlated queries: p < 0.05 comes up in about one of twenty worlds."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 5)
    claimed = 0
    for _ in range(200):
        ease = rng.random(30)[groups]
        a, b = (rng.random((3, 150)) < ease for _ in range(2))
        claimed += seeded_gain(a, b, groups, draws=400).p < 0.05
    assert 2 <= claimed <= 22


def test_seeded_interval_widens_when_seeds_disagree_and_when_neighbours_agree() -> None:
    rng = np.random.default_rng(3)
    alike = rng.random((3, 200)) < 0.5
    apart = rng.random((3, 200)) < np.array([[0.2], [0.5], [0.8]])
    blocks = np.repeat(rng.random((3, 20)) < 0.5, 10, axis=1)
    groups = np.repeat(np.arange(20), 10)
    width = [high - low for low, high in (seeded_interval(alike), seeded_interval(apart))]
    assert width[1] > 3 * width[0]
    low, high = seeded_interval(blocks, groups)
    assert high - low > 1.5 * np.subtract(*seeded_interval(blocks)[::-1])


def test_seeded_interval_agrees_with_the_normal_one_for_one_seed() -> None:
    values = (np.arange(400) % 4 == 0)[None].astype(float)
    low, high = seeded_interval(values)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.008)


def test_seeded_gain_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="expected \\(S, Q\\)"):
        seeded_gain(np.ones((2, 5)), np.ones((3, 5)))
