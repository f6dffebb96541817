"""Where a model comes from: the commit and the versions that trained it."""

import hashlib
import platform
import subprocess
from importlib import metadata

from butf.dataset.frames import Frames
from butf.files import REPO

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow", "faiss-cpu")


def versions() -> dict[str, str]:
    """Versions of python and of the libraries that numbers depend on."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}


def commit() -> str | None:
    """The commit of this repository, with a plus where files differ from it; None outside a git checkout."""
    described = _git("rev-parse", "--short=12", "HEAD")
    return described and described + ("+" if _git("status", "--porcelain", "--", "butf") else "")


def fingerprint(frames: Frames) -> bytes:
    """The same for data sets with the same frames at the same places; pictures are not looked at."""
    names = "\n".join(frames.frame.tolist()).encode()
    return hashlib.sha256(names + frames.position.tobytes()).digest()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=REPO, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
