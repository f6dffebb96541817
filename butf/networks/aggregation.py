"""How the local features of a picture become one descriptor: the choice of pooling, and what goes with it."""

from dataclasses import dataclass

from butf.errors import BadInput
from butf.networks.netvlad import NetVLAD
from butf.networks.pooling import MAC, RMAC, GeM, Pooling, SPoC
from butf.networks.whitening import Whitened

SIMPLE: dict[str, type[Pooling]] = {"gem": GeM, "mac": MAC, "spoc": SPoC, "rmac": RMAC}
POOLINGS = (*SIMPLE, "netvlad")
CLUSTERS = 32
MOST_CLUSTERS = 256


@dataclass(frozen=True)
class Aggregation:
    """A pooling by name, `clusters` visual words for NetVLAD, and to how many numbers its vectors are whitened, if so.

    Every part of a network's descriptor is pooled and whitened so. Raises BadInput for what there is not.
    """

    pooling: str = "gem"
    clusters: int = CLUSTERS
    whiten: int | None = None

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise BadInput(f"pooling is {self.pooling!r}; choose one of {', '.join(POOLINGS)}")
        for name, value, most in (("clusters", self.clusters, MOST_CLUSTERS), ("whiten", self.whiten, 2**16)):
            if value is None and name == "whiten":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise BadInput(f"{name} is {value!r}; expected a whole number from 1 to {most}")

    @property
    def words(self) -> str:
        """The pooling in words."""
        return f"netvlad of {self.clusters} clusters" if self.pooling == "netvlad" else self.pooling

    def pools_as(self, other: "Aggregation") -> bool:
        """Whether both pool in the same way, whitening left aside."""
        return self.words == other.words

    def build(self, channels: int) -> Pooling:
        """The pooling of a map of so many channels, not trained."""
        words = self.pooling == "netvlad"
        plain = NetVLAD(channels, self.clusters) if words else SIMPLE[self.pooling]()
        plain.dim = channels * self.clusters if words else channels
        return plain if self.whiten is None else Whitened(plain, self.whiten)


GEM = Aggregation()
"""How all networks pool that do not say otherwise."""
