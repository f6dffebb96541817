"""RGB-D: the upper bound that is given the true side modality at test time too."""

from torch import Tensor
from torch.nn import functional as F

from butf.errors import BadInput
from butf.networks.colours import colour_ramp
from butf.networks.description import Description, describe_parts
from butf.networks.two_trunks import TwoTrunks


class RGBD(TwoTrunks):
    """One trunk for the picture and one for the measured side modality, coloured to three channels."""

    reads_side = True

    def describe(self, images: Tensor) -> Description:
        raise BadInput("rgbd needs the measured side modality beside each picture; choose bu-tf, which reconstructs it")

    def describe_measured(self, images: Tensor, side: Tensor, valid: Tensor) -> Description:
        """Describe pictures `(B, 3, H, W)` with their side maps and masks `(B, 1, h, w)`."""
        return describe_parts(
            self.pool(self.trunk(images)[-1]), self.side(side, valid, (images.shape[-2], images.shape[-1]))
        )

    def side(self, side: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """The side descriptor `(B, C)` of side maps and masks `(B, 1, h, w)`, seen at `size` (H, W)."""
        picture = F.interpolate(colour_ramp(side, valid), size, mode="bilinear", align_corners=False)
        described: Tensor = self.side_pool(self.side_trunk(picture)[-1])
        return described
