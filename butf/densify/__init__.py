"""From a cloud of points to dense side maps: projection, visibility, joint inpainting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from butf.dataset.manifest import Camera
from butf.dataset.modalities import Map
from butf.densify.cloud import Cloud
from butf.densify.inpainting import Inpainting, inpaint
from butf.densify.projection import Sparse, project
from butf.densify.visibility import occlusion
from butf.errors import BadInput

__all__ = ["Cloud", "Dense", "Inpainting", "Sparse", "densify", "fill", "project"]

REACH = 1 / 40  # of the picture's width: farther from every sample than that, nothing is claimed


@dataclass(frozen=True, eq=False)
class Dense:
    """Dense maps of one frame and where they come from.

    `depth` (H, W) float32 metres along the optical axis, `reflectance` (H, W) float32 0..1 or None; `valid` (H, W)
    bool, near enough to a sample to be believed; `sparse` all samples, `visible` (H, W) bool those that were kept.
    """

    depth: np.ndarray
    reflectance: np.ndarray | None
    valid: np.ndarray
    sparse: Sparse
    visible: np.ndarray

    @property
    def maps(self) -> dict[str, Map]:
        """The maps by modality, as they are written to disk."""
        values = {"depth": self.depth, "reflectance": self.reflectance}
        return {name: Map(name, value, self.valid) for name, value in values.items() if value is not None}


def densify(
    cloud: Cloud,
    camera: Camera,
    picture: np.ndarray,
    settings: Inpainting | None = None,
    device: torch.device | str = "cpu",
) -> Dense:
    """Dense depth and reflectance of a picture (H, W, 3) uint8 from the points that `camera` has before it.

    Raises `BadInput` when no point falls into the picture, or the picture is not of the camera's size.
    """
    return fill(project(cloud, camera), camera, picture, settings, device)


def fill(
    sparse: Sparse,
    camera: Camera,
    picture: np.ndarray,
    settings: Inpainting | None = None,
    device: torch.device | str = "cpu",
) -> Dense:
    """The same for points that are in the pixels already; raises as `densify`."""
    if picture.shape[:2] != sparse.depth.shape:
        height, width = sparse.depth.shape
        raise BadInput(
            f"the picture is {picture.shape[1]}x{picture.shape[0]} and its points fill {width}x{height}; "
            f"give the picture that the camera describes"
        )
    if not sparse.measured.any():
        raise BadInput("no point falls into the picture; check the calibration between lidar and camera")
    filled = inpaint(sparse, picture, occlusion(sparse.depth, camera), settings, device)
    valid = distance_transform_edt(~filled.visible) <= REACH * picture.shape[1]
    return Dense(filled.depth, filled.reflectance, valid, sparse, filled.visible)
