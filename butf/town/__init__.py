"""The procedural town: a street scene in seven conditions with exact depth, reflectance and classes."""

from butf.town.config import TownConfig, preset

__all__ = ["TownConfig", "preset", "write_town"]


def __getattr__(name: str) -> object:
    # The renderer needs embreex; reading a configuration does not.
    if name == "write_town":
        from butf.town.writer import write_town

        return write_town
    raise AttributeError(name)
