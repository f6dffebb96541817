"""Joint inpainting of depth and reflectance, guided by the picture (Bevilacqua, Aujol, Biasutti, Bredif, Bugeau 2017).

Sought are log depth u, reflectance r and the visibility v of each sample that minimise

    sum of  sqrt(g^2 |grad u|^2 + mu^2 |grad r|^2 + lambda^2 |grad c|^2)       coupled total variation
         +  v (eta_u |u - u_S| + eta_r |r - r_S|)                              fidelity, at the samples
         +  (1 - v) alpha                                                      what leaving a sample out costs

with the picture's brightness c. The coupling makes the edges of depth and of reflectance cheap where there is an edge
in the picture or in the other map. From the paper: the variables, the L1 fidelity weighed by visibility, the coupled
total variation, the primal-dual method. Ours: all three images in one term instead of two by two (the same result
here, at half the price); depth as its logarithm, so that a step from 2 to 4 m counts as much as one from 20 to 40 m;
the weight g = exp(-beta |grad c|) on depth; alpha taken from how much of a sample's surroundings lies before it
(`visibility.occlusion`), and only samples behind the surface can be left out; three scales. `benchmarks densify`
measures the result against simpler ways.

Solved by the first-order primal-dual method of Chambolle and Pock (2011); v has a closed form for given u.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from butf.densify.projection import Sparse

NEVER = 1e9


@dataclass(frozen=True)
class Inpainting:
    """Weights of the energy; they were chosen on the town's val district.

    `hidden_by[k]` is the log depth by which a sample must lie behind the surface to be left out when samples lie before
    it in 6, 7 or 8 of its 8 sectors: 0.4 is half as far again.
    """

    coupling: float = 0.5  # mu
    guidance: float = 4.0  # lambda
    edge: float = 15.0  # beta; a step from black to white is 1
    fidelity: tuple[float, float] = (20.0, 10.0)  # eta_u, eta_r
    hidden_by: tuple[float, float, float] = (0.4, 0.3, 0.1)
    scales: int = 3
    iterations: int = 60  # at each scale
    check: int = 10  # iterations between two looks at the visibility


@dataclass(frozen=True, eq=False)
class Filled:
    """`depth` (H, W) float32 metres and `reflectance` (H, W) float32 0..1 or None, everywhere; `visible` (H, W) bool,
    the samples that were kept."""

    depth: np.ndarray
    reflectance: np.ndarray | None
    visible: np.ndarray


def inpaint(
    sparse: Sparse,
    picture: np.ndarray,
    occluded: np.ndarray,
    settings: Inpainting | None = None,
    device: torch.device | str = "cpu",
) -> Filled:
    """Fill a sparse image with at least one sample, guided by `picture` (H, W, 3) uint8; `occluded` (H, W) is what
    `visibility.occlusion` gives."""
    settings = settings or Inpainting()
    levels = [_Level.of(sparse, picture, occluded, settings)]
    for _ in range(settings.scales - 1):
        levels.append(levels[-1].halved())
    coarsest = levels.pop()
    found, visible = _solved(coarsest.to(device), coarsest.nearest().to(device), settings)
    for level in reversed(levels):
        found, visible = _solved(level.to(device), level.refined(found).to(device), settings)
    depth, *rest = found.cpu().numpy()
    reflectance = None if sparse.reflectance is None else np.clip(rest[0], 0, 1)
    return Filled(np.exp(depth), reflectance, visible.cpu().numpy())


@dataclass(frozen=True, eq=False)
class _Level:
    """One scale: `samples` (2, H, W) log depth and reflectance, `measured` and `kept` (H, W) bool (those taken for
    visible at first), `alpha` (H, W) what leaving a sample out costs, `grey` (H, W) brightness."""

    samples: torch.Tensor
    measured: torch.Tensor
    kept: torch.Tensor
    alpha: torch.Tensor
    grey: torch.Tensor

    @classmethod
    def of(cls, sparse: Sparse, picture: np.ndarray, occluded: np.ndarray, settings: Inpainting) -> _Level:
        measured = sparse.measured
        reflectance = np.zeros_like(sparse.depth) if sparse.reflectance is None else sparse.reflectance
        costs = [NEVER] * 6 + [settings.fidelity[0] * behind for behind in settings.hidden_by]
        alpha = np.array(costs, np.float32)[occluded]
        samples = np.stack([np.log(np.where(measured, sparse.depth, 1)), np.where(measured, reflectance, 0)])
        grey = torch.from_numpy(picture.astype(np.float32)).mean(dim=2) / 255
        kept = measured & (alpha == NEVER)
        if not kept.any():
            kept = measured
        to = torch.from_numpy
        return cls(to(samples.astype(np.float32)), to(measured), to(kept), to(alpha), grey)

    def to(self, device: torch.device | str) -> _Level:
        return _Level(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def halved(self) -> _Level:
        """Half the size: of four pixels the sample that is nearest, among those kept if there are any."""
        fours = _fours(self.samples[0])
        rank = fours + torch.where(_fours(self.kept), 0.0, 1e3) + torch.where(_fours(self.measured), 0.0, 1e6)
        best = rank.argmin(dim=-1, keepdim=True)

        def taken(values: torch.Tensor) -> torch.Tensor:
            return _fours(values).gather(-1, best)[..., 0]

        samples = torch.stack([taken(channel) for channel in self.samples])
        grey = _fours(self.grey).mean(dim=-1)
        return _Level(samples, taken(self.measured), taken(self.kept), taken(self.alpha), grey)

    def nearest(self) -> torch.Tensor:
        """(2, H, W): in each pixel the nearest sample that is kept."""
        rows, columns = distance_transform_edt(~self.kept.numpy(), return_distances=False, return_indices=True)
        return self.samples[:, rows, columns].clone()

    def refined(self, coarse: torch.Tensor) -> torch.Tensor:
        """(2, H, W): the solution at half the size, and the samples where they are kept."""
        height, width = self.kept.shape
        grown = coarse.cpu().repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)[:, :height, :width]
        return torch.where(self.kept, self.samples, grown)


def _fours(values: torch.Tensor) -> torch.Tensor:
    """(H, W) -> (h, w, 4): the pixels of each 2x2 block; an odd last row or column is repeated."""
    height, width = values.shape
    number = values.dtype
    padded = F.pad(values.float()[None, None], (0, width % 2, 0, height % 2), mode="replicate")[0, 0].to(number)
    return padded.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2)


def _solved(level: _Level, x: torch.Tensor, settings: Inpainting) -> tuple[torch.Tensor, torch.Tensor]:
    """Iterate from `x` (2, H, W); gives the solution and the visibility (H, W) bool."""
    edge, weight = _guide(level.grey, settings)
    sigma, tau = 0.5, 0.25  # sigma tau |K|^2 <= 1 with |K|^2 <= 8 for weights up to 1
    fidelity = tau * torch.tensor(settings.fidelity, device=x.device)[:, None, None]
    dual = torch.zeros(2, *x.shape, device=x.device)
    dual_edge = torch.zeros_like(edge)
    step, moved, pull = torch.zeros_like(dual), torch.zeros_like(x), x.clone()
    visible = level.kept
    for number in range(1, settings.iterations + 1):
        torch.sub(pull[:, :, 1:], pull[:, :, :-1], out=step[0, :, :, :-1])
        torch.sub(pull[:, 1:], pull[:, :-1], out=step[1, :, :-1])
        dual.addcmul_(step, weight, value=sigma)
        dual_edge.add_(edge, alpha=sigma)
        length = dual.square().sum(dim=(0, 1)).addcmul_(dual_edge, dual_edge).sqrt_().clamp_(min=1)
        dual /= length
        dual_edge /= length
        _divergence(dual * weight, out=moved)
        moved.mul_(tau).add_(x)
        off = moved - level.samples
        near = level.samples + off.sign() * (off.abs() - fidelity).clamp_(min=0)
        moved = torch.where(visible, near, moved)
        pull = 2 * moved - x
        x, moved = moved, torch.empty_like(x)
        if number % settings.check == 0:
            behind = (level.samples[0] - x[0]).clamp(min=0)
            visible = level.measured & (settings.fidelity[0] * behind < level.alpha)
    return x, visible


def _guide(grey: torch.Tensor, settings: Inpainting) -> tuple[torch.Tensor, torch.Tensor]:
    """(H, W) lambda |grad c|, and the weights (2, H, W) of the gradients of depth and reflectance."""
    right = F.pad(grey[:, 1:] - grey[:, :-1], (0, 1))
    down = F.pad(grey[1:] - grey[:-1], (0, 0, 0, 1))
    slope = torch.hypot(right, down)
    weight = torch.stack([torch.exp(-settings.edge * slope), torch.full_like(slope, settings.coupling)])
    return settings.guidance * slope, weight


def _divergence(field: torch.Tensor, out: torch.Tensor) -> None:
    """The divergence of `field` (2, C, H, W), minus the adjoint of forward differences that are 0 at the far border."""
    across, down = field
    out[:, :, :-1] = across[:, :, :-1]
    out[:, :, -1] = 0
    out[:, :, 1:] -= across[:, :, :-1]
    out[:, :-1] += down[:, :-1]
    out[:, 1:] -= down[:, :-1]
