"""The losses of the talk (slide equations 1 to 4), the lecture's of pairs, and what serves them.

Descriptors are `(B, D)` of unit length; every loss is a scalar tensor.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def triplet_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    squared: bool = True,
    counted: Tensor | None = None,
) -> Tensor:
    """Slide equation 1, mean over the batch: `max(||f(q) - f(q+)||^2 - ||f(q) - f(q-)||^2 + margin, 0)`.

    `squared=False` takes plain distances, as the authors' code does: their gradient does not vanish for near pairs.
    Shape: `(B, D)` each; `counted` `(B,)` bool, where not all triplets are to count.
    """
    near, far = distance(anchor, positive, squared), distance(anchor, negative, squared)
    return mean(F.relu(near - far + margin), counted)


def contrastive_loss(a: Tensor, b: Tensor, same: Tensor, tau: float, counted: Tensor | None = None) -> Tensor:
    """The contrastive loss of Lepetit's lecture (Radenovic 2018), mean over P pairs; zero when there is none.

    With `d = ||f(i) - f(j)||` it is `d^2 / 2` for pictures of one place and `max(0, tau - d)^2 / 2` for others.
    Shape: `a` and `b` `(P, D)`, `same` `(P,)` bool, as is `counted`, where not all pairs are to count.
    """
    near = distance(a, b, squared=True)
    far = F.relu(tau - distance(a, b, squared=False)).square()
    return 0.5 * mean(torch.where(same, near, far), counted)


def mean(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """The mean of the values that are `counted` (bool, of the same shape; None: of all), zero when there is none.

    No shape depends on what is counted, so that a GPU need not be waited for, and its work can be replayed.
    """
    if counted is None:
        return values.sum() / max(values.numel(), 1)
    return (values * counted).sum() / counted.sum().clamp(min=1)


def transfer_loss(reconstructed: Tensor, side: Tensor, valid: Tensor) -> Tensor:
    """Slide equation 2, `||M~(M_main) - M_side||_1`, as the *mean* over the measured pixels of the batch.

    Shape: `(B, 1, h, w)` each; `valid` is true where the side modality was measured. Zero when nothing was.
    """
    return mean((reconstructed - side).abs(), valid)


def class_loss(shares: Tensor, classes: Tensor, valid: Tensor) -> Tensor:
    """Equation 2 for class ids: cross-entropy, as the mean over the pixels whose class is known, zero when none is.

    Shape: `shares` `(B, C, h, w)`, a softmax over C; `classes` int64 and `valid` bool, `(B, 1, h, w)` both.
    """
    return mean(-shares.gather(1, classes).clamp(min=1e-7).log(), valid)


def bottom_up_loss(
    main: Tensor,
    side: Tensor,
    full: Tensor,
    transfer: Tensor,
    sigma_side: float = 1.0,
    sigma_full: float = 1.0,
    sigma_transfer: float = 1.0,
) -> Tensor:
    """Slide equation 3: the triplet losses of the main, side and full descriptors and the transfer loss, weighted."""
    return main + sigma_side * side + sigma_full * full + sigma_transfer * transfer


def diversification_loss(full: Tensor, main: Tensor, margin: float) -> Tensor:
    """Slide equation 4, `max(L_full - L_main + margin, 0)`: the full descriptor must beat the main one by a margin."""
    return F.relu(full - main + margin)


def matching_loss(
    queries: Tensor, keys: Tensor, positives: Tensor, negatives: Tensor, temperature: float = 0.14
) -> Tensor:
    """Equation 1 between two describers, its hinge softened over all negatives; of squared distances, margin 0.

    `T log(1 + sum_n exp((||q - k+||^2 - ||q - k_n||^2) / T))`, mean over the queries, with `k+` the farthest positive:
    the hinge on the nearest negative as T goes to 0, and InfoNCE of temperature T / 2 on unit vectors. Unlike the
    hinge it does not collapse when a describer starts from nothing.

    Shape: `queries` `(A, D)`, `keys` `(B, D)`, both of unit rows, `positives` and `negatives` `(A, B)` bool. Queries
    without a positive or a negative do not count; zero when none is left.
    """
    squares = 2 - 2 * queries @ keys.T
    usable = positives.any(dim=1) & negatives.any(dim=1)
    farthest = squares.masked_fill(~positives, -torch.inf).amax(dim=1, keepdim=True)
    excess = ((farthest - squares) / temperature).masked_fill(~negatives, -torch.inf)
    # Where a query has no positive all is minus infinity: what it costs is zero, and its gradient would be no number.
    excess = excess.masked_fill(~usable[:, None], -torch.inf)
    return mean(temperature * torch.logsumexp(F.pad(excess, (1, 0)), dim=1), usable)


def imitation_loss(hallucinated: Tensor, true: Tensor) -> Tensor:
    """How far hallucinated features `(B, C, h, w)` are from those of the true depth: 0 if equal, 1 for all zeros.

    The squared difference of Hoffman 2016, relative to the target's mean square instead of squashed by a sigmoid, so
    that its weight means the same for every trunk. The depth features are a target: no gradient reaches them.
    """
    target = true.detach()
    return F.mse_loss(hallucinated, target) / target.square().mean().clamp(min=1e-12)


def direction_loss(features: Tensor, target: Tensor) -> Tensor:
    """How far the features of each position point from the target's, `(B, C, h, w)` both: mean of 1 - cosine.

    A distillation loss; lengths are free. The target gets no gradient.
    """
    return (1 - F.cosine_similarity(features, target.detach(), dim=1)).mean()


def distance(a: Tensor, b: Tensor, squared: bool) -> Tensor:
    """Euclidean distance of vectors along the last axis, or its square."""
    square = (a - b).square().sum(dim=-1)
    # The root's slope is infinite at zero; two equal descriptors must not give NaN.
    return square if squared else square.clamp(min=1e-12).sqrt()


def all_triplets_loss(
    descriptors: Tensor, positives: Tensor, negatives: Tensor, margin: float, squared: bool = False
) -> Tensor:
    """Equation 1 over all triplets the masks `(B, B)` allow among descriptors `(B, D)`; zero where there is none."""
    distances = distance(descriptors[:, None], descriptors[None], squared)
    allowed = positives[:, :, None] & negatives[:, None, :]
    excess = F.relu(distances[:, :, None] - distances[:, None, :] + margin) * allowed
    return excess.sum() / allowed.sum().clamp(min=1)


def hardest_triplets(
    anchors: Tensor, others: Tensor, positives: Tensor, negatives: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For each anchor its farthest positive and its nearest negative (batch-hard, Hermans 2017).

    Shape: `anchors` `(A, D)`, `others` `(B, D)`, `positives` and `negatives` `(A, B)` bool. Returns which anchors have
    both, `(A,)` bool, and twice a row of `others` for each, `(A,)`, that means nothing where it does not. No shape
    depends on what the masks say: a GPU need not be waited for.
    """
    with torch.no_grad():
        distances = torch.cdist(anchors.float(), others.float())
        usable = positives.any(dim=1) & negatives.any(dim=1)
        positive = distances.masked_fill(~positives, -torch.inf).argmax(dim=1)
        negative = distances.masked_fill(~negatives, torch.inf).argmin(dim=1)
    return usable, positive, negative


def batch_hard_loss(
    descriptors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    margin: float,
    squared: bool = False,
    others: Tensor | None = None,
) -> Tensor:
    """Equation 1 over the hardest triplets of a batch `(B, D)`; zero when the batch has none.

    With `others` `(C, D)` positives and negatives are sought among these, and the masks are `(B, C)`.
    """
    others = descriptors if others is None else others
    usable, positive, negative = hardest_triplets(descriptors, others, positives, negatives)
    return triplet_loss(descriptors, others[positive], others[negative], margin, squared, usable)


def hardest_pairs_loss(
    descriptors: Tensor, positives: Tensor, negatives: Tensor, tau: float, others: Tensor | None = None
) -> Tensor:
    """The contrastive loss over the pairs of the hardest triplets: each anchor with its farthest positive and its
    nearest negative. Arguments as `batch_hard_loss` has them."""
    others = descriptors if others is None else others
    usable, positive, negative = hardest_triplets(descriptors, others, positives, negatives)
    ends = torch.cat([descriptors, descriptors]), others[torch.cat([positive, negative])]
    same = torch.arange(2 * len(usable), device=usable.device) < len(usable)
    return contrastive_loss(*ends, same, tau, torch.cat([usable, usable]))


def all_pairs_loss(descriptors: Tensor, positives: Tensor, negatives: Tensor, tau: float) -> Tensor:
    """The contrastive loss over all pairs the masks `(B, B)` allow among descriptors `(B, D)`."""
    return contrastive_loss(descriptors[:, None], descriptors[None], positives, tau, positives | negatives)
