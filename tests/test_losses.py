"""The slide's equations against plain loops and hand-made cases."""

import math

import pytest
import torch
from torch.nn import functional as F

from butf import losses


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("squared", [True, False])
def test_triplet_loss_agrees_with_a_plain_loop(squared: bool) -> None:
    anchor, positive, negative = unit(3, 9, 5)
    total = 0.0
    for q, near, far in zip(anchor.tolist(), positive.tolist(), negative.tolist(), strict=True):
        d_near, d_far = (math.dist(q, other) ** (2 if squared else 1) for other in (near, far))
        total += max(d_near - d_far + 0.3, 0.0)
    assert losses.triplet_loss(anchor, positive, negative, 0.3, squared).item() == pytest.approx(total / 9)


def test_plain_triplet_loss_agrees_with_torch() -> None:
    anchor, positive, negative = unit(3, 16, 8)
    expected = F.triplet_margin_loss(anchor, positive, negative, margin=0.25, eps=0.0)
    assert losses.triplet_loss(anchor, positive, negative, 0.25, squared=False).item() == pytest.approx(expected.item())


def test_equal_descriptors_give_a_finite_gradient() -> None:
    anchor = unit(4, 8).requires_grad_()
    losses.triplet_loss(anchor, anchor.detach().clone(), anchor.detach().clone(), 0.2, squared=False).backward()
    assert torch.isfinite(anchor.grad).all()


def test_transfer_loss_is_the_mean_over_measured_pixels_only() -> None:
    reconstructed, side = torch.rand(2, 3, 1, 4, 5)
    valid = torch.rand(3, 1, 4, 5) > 0.4
    errors = [abs(reconstructed[i] - side[i]).item() for i in zip(*valid.nonzero(as_tuple=True), strict=True)]
    assert losses.transfer_loss(reconstructed, side, valid).item() == pytest.approx(sum(errors) / len(errors), rel=1e-5)


def test_transfer_loss_of_nothing_measured_is_zero() -> None:
    nothing = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
    assert losses.transfer_loss(torch.rand(2, 1, 3, 3), torch.rand(2, 1, 3, 3), nothing).item() == 0.0


def test_equation_3_weighs_its_terms() -> None:
    main, side, full, transfer = torch.tensor([0.5, 0.25, 0.125, 2.0])
    assert losses.bottom_up_loss(main, side, full, transfer, 2.0, 4.0, 0.5).item() == 0.5 + 0.5 + 0.5 + 1.0


@pytest.mark.parametrize(("full", "main", "expected"), [(0.2, 0.5, 0.0), (0.45, 0.5, 0.05), (0.6, 0.5, 0.2)])
def test_equation_4_is_a_hinge(full: float, main: float, expected: float) -> None:
    found = losses.diversification_loss(torch.tensor(full), torch.tensor(main), 0.1).item()
    assert found == pytest.approx(expected, abs=1e-6)


def test_imitation_moves_only_the_hallucinating_network() -> None:
    hallucinated, true = torch.rand(2, 2, 3, 4, 4).unbind()
    hallucinated, true = hallucinated.requires_grad_(), true.requires_grad_()
    loss = losses.imitation_loss(hallucinated, true)
    loss.backward()
    assert loss.item() == pytest.approx((((hallucinated - true) ** 2).sum() / (true**2).sum()).item())
    assert true.grad is None and hallucinated.grad.abs().sum() > 0


@pytest.mark.parametrize("squared", [True, False])
def test_all_triplets_agree_with_a_plain_loop(squared: bool) -> None:
    rows = unit(7, 4)
    chance = torch.rand(7, 7, generator=torch.Generator().manual_seed(1))
    positives, negatives = chance < 0.3, chance > 0.7
    power = 2 if squared else 1
    found = [
        max(math.dist(rows[i], rows[j]) ** power - math.dist(rows[i], rows[k]) ** power + 0.2, 0.0)
        for i in range(7) for j in range(7) for k in range(7) if positives[i, j] and negatives[i, k]
    ]  # fmt: skip
    loss = losses.all_triplets_loss(rows, positives, negatives, 0.2, squared)
    assert len(found) > 20 and loss.item() == pytest.approx(sum(found) / len(found), rel=1e-5)


def test_hardest_triplets_agree_with_a_search_over_all_pairs() -> None:
    descriptors = unit(12, 6, seed=3)
    place = [0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4]  # the 3 stands alone and has no positive
    positives = torch.tensor([[i != j and place[i] == place[j] for j in range(12)] for i in range(12)])
    negatives = torch.tensor([[abs(place[i] - place[j]) > 1 for j in range(12)] for i in range(12)])
    usable, *rows = losses.hardest_triplets(descriptors, descriptors, positives, negatives)
    found = [(i, int(rows[0][i]), int(rows[1][i])) for i in range(12) if usable[i]]
    expected = []
    for i in range(12):
        near = [(math.dist(descriptors[i], descriptors[j]), j) for j in range(12) if positives[i, j]]
        far = [(math.dist(descriptors[i], descriptors[j]), j) for j in range(12) if negatives[i, j]]
        if near and far:
            expected.append((i, max(near)[1], min(far)[1]))
    assert found == expected and len(expected) == 11


def test_anchors_may_seek_among_other_descriptors() -> None:
    anchors, others = unit(3, 6, seed=4), unit(5, 6, seed=5)
    positives = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    negatives = torch.tensor([[0, 0, 0, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], dtype=torch.bool)
    hinges = []
    for i in (0, 1):
        metres = [math.dist(anchors[i], others[j]) for j in range(5)]
        near = max(metres[j] for j in range(5) if positives[i, j])
        hinges.append(max(near - min(metres[j] for j in range(5) if negatives[i, j]) + 0.4, 0.0))
    loss = losses.batch_hard_loss(anchors, positives, negatives, 0.4, others=others)
    assert loss.item() == pytest.approx(sum(hinges) / 2, rel=1e-5)


def test_a_batch_without_triplets_costs_nothing_and_can_still_be_descended() -> None:
    descriptors = unit(4, 8).requires_grad_()
    none = torch.zeros(4, 4, dtype=torch.bool)
    loss = losses.batch_hard_loss(descriptors, none, none, 0.25)
    loss.backward()
    assert loss.item() == 0.0 and descriptors.grad.abs().sum() == 0


@pytest.mark.parametrize("temperature", [0.14, 1.0])
def test_matching_loss_agrees_with_a_plain_sum(temperature: float) -> None:
    queries, keys = unit(4, 6, seed=1), unit(5, 6, seed=2)
    positives = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0]], dtype=torch.bool)
    negatives = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    expected = []
    for i in (0, 1):  # the third has no positive, the fourth no negative
        squares = [math.dist(queries[i], keys[j]) ** 2 for j in range(5)]
        near = max(squares[j] for j in range(5) if positives[i, j])
        far = [math.exp((near - squares[j]) / temperature) for j in range(5) if negatives[i, j]]
        expected.append(temperature * math.log(1 + sum(far)))
    loss = losses.matching_loss(queries, keys, positives, negatives, temperature)
    assert loss.item() == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_matching_loss_is_cross_entropy_over_one_positive_and_nears_the_hinge() -> None:
    queries, keys = unit(6, 8, seed=1), unit(6, 8, seed=2)
    own = torch.eye(6, dtype=torch.bool)
    entropy = F.cross_entropy(queries @ keys.T / 0.07, torch.arange(6))
    torch.testing.assert_close(losses.matching_loss(queries, keys, own, ~own, 0.14), 0.14 * entropy)
    squares = torch.cdist(queries, keys).square()
    hinge = (squares.diagonal() - squares.masked_fill(own, torch.inf).amin(dim=1)).clamp(min=0).mean()
    torch.testing.assert_close(losses.matching_loss(queries, keys, own, ~own, 1e-4), hinge, atol=1e-3, rtol=0)


def test_matching_without_pairs_costs_nothing_and_can_still_be_descended() -> None:
    queries, none = unit(4, 8).requires_grad_(), torch.zeros(4, 4, dtype=torch.bool)
    loss = losses.matching_loss(queries, unit(4, 8), none, none)
    loss.backward()
    assert loss.item() == 0.0 and queries.grad.abs().sum() == 0


def test_direction_loss_is_one_minus_the_mean_cosine_and_blind_to_length() -> None:
    features, target = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    cosines = [
        torch.dot(features[b, :, y, x], target[b, :, y, x]) / (features[b, :, y, x].norm() * target[b, :, y, x].norm())
        for b in range(2)
        for y in range(3)
        for x in range(4)
    ]
    torch.testing.assert_close(losses.direction_loss(features, target), 1 - torch.stack(cosines).mean())
    torch.testing.assert_close(
        losses.direction_loss(3 * features, 0.5 * features), torch.tensor(0.0), atol=1e-6, rtol=0
    )


def test_class_loss_is_cross_entropy_over_the_pixels_of_known_class() -> None:
    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, 3, 4, generator=rng, requires_grad=True)
    classes = torch.randint(5, (2, 1, 3, 4), generator=rng)
    valid = torch.rand(2, 1, 3, 4, generator=rng) > 0.4
    ours = losses.class_loss(scores.softmax(dim=1), classes, valid)
    known = torch.where(valid, classes, 255)[:, 0]
    peer = torch.nn.functional.cross_entropy(scores, known, ignore_index=255)
    assert ours.item() == pytest.approx(peer.item(), rel=1e-5)
    mine, theirs = (torch.autograd.grad(loss, scores, retain_graph=True)[0] for loss in (ours, peer))
    torch.testing.assert_close(mine, theirs)
    assert losses.class_loss(scores.softmax(dim=1), classes, torch.zeros_like(valid)).item() == 0.0


@pytest.mark.parametrize("tau", [0.4, 1.3])
def test_contrastive_loss_agrees_with_a_plain_loop(tau: float) -> None:
    a, b = unit(2, 12, 4)
    same = torch.arange(12) % 3 == 0
    total = 0.0
    for one, other, alike in zip(a.tolist(), b.tolist(), same.tolist(), strict=True):
        distance = math.dist(one, other)
        total += 0.5 * distance**2 if alike else 0.5 * max(0.0, tau - distance) ** 2
    assert losses.contrastive_loss(a, b, same, tau).item() == pytest.approx(total / 12)


def test_pairs_of_a_batch_are_the_hardest_or_all() -> None:
    descriptors = unit(6, 4, seed=3)
    places = torch.tensor([0, 0, 0, 1, 1, 2])
    same = places[:, None] == places[None]
    positives, negatives = same & ~torch.eye(6, dtype=torch.bool), ~same
    far, near, every = [], [], []
    for i in range(6):
        to = {
            word: [math.dist(descriptors[i].tolist(), descriptors[j].tolist()) for j in range(6) if mask[i, j]]
            for word, mask in (("positive", positives), ("negative", negatives))
        }
        every += [0.5 * d**2 for d in to["positive"]] + [0.5 * max(0.0, 0.9 - d) ** 2 for d in to["negative"]]
        if to["positive"]:
            far.append(0.5 * max(to["positive"]) ** 2)
            near.append(0.5 * max(0.0, 0.9 - min(to["negative"])) ** 2)
    found = losses.hardest_pairs_loss(descriptors, positives, negatives, 0.9).item()
    assert found == pytest.approx((sum(far) + sum(near)) / (2 * len(far)))
    assert losses.all_pairs_loss(descriptors, positives, negatives, 0.9).item() == pytest.approx(
        sum(every) / len(every)
    )
    none = torch.zeros(6, 6, dtype=torch.bool)
    for loss in (losses.hardest_pairs_loss, losses.all_pairs_loss):
        assert loss(descriptors, none, none, 0.9).item() == 0.0


def test_equal_pictures_of_two_places_give_the_contrastive_loss_a_finite_gradient() -> None:
    anchor = unit(4, 8).requires_grad_()
    losses.contrastive_loss(anchor, anchor.detach().clone(), torch.zeros(4, dtype=torch.bool), 0.7).backward()
    assert torch.isfinite(anchor.grad).all()
