"""What a user may choose when RobotCar's traversals are imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from butf.dataset.manifest import PlaceRule
from butf.errors import BadInput

POSES = ("best", "ins", "rtk", "vo")
LIDARS = ("lms_front", "ldmrs", "both")
PLACE = PlaceRule(radius_m=25.0)


@dataclass(frozen=True)
class Choice:
    """`poses` best is RTK where there is a log of it, else INS; vo is visual odometry from where the INS saw it begin.

    A frame is taken each `spacing_m` metres, its picture made `width` pixels wide (never wider than it is).
    `reference` names the traversal that becomes the database; None is the first under clouds or in the sun. `areas`
    is a GeoJSON of train, val and test areas; without it all is test. `full_scale` is the intensity of the LMS that
    becomes reflectance 1; None is the 99th percentile of all that it measured.
    """

    poses: str = "best"
    lidar: str = "lms_front"
    spacing_m: float = 5.0
    width: int = 640
    reference: str | None = None
    areas: Path | None = None
    full_scale: float | None = None
    place: PlaceRule = PLACE

    def __post_init__(self) -> None:
        for name, value, known in (("poses", self.poses, POSES), ("lidar", self.lidar, LIDARS)):
            if value not in known:
                raise BadInput(f"{name} {value!r} is unknown; give one of {', '.join(known)}")
        if not self.spacing_m > 0 or self.width < 16:
            raise BadInput(
                f"spacing {self.spacing_m} m and width {self.width} are wrong; give above 0 m and 16 pixels or more"
            )

    @property
    def lidars(self) -> tuple[str, ...]:
        """The folders of scans that are used."""
        return ("lms_front", "ldmrs") if self.lidar == "both" else (self.lidar,)
