"""`python -m benchmarks [NAME] [options]`."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import signal
import sys
from pathlib import Path

import benchmarks
from butf.errors import BadInput


def names() -> dict[str, str]:
    """Each benchmark and what it measures, read without importing it."""
    found = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            source = Path(benchmarks.__path__[0], f"{module.name}.py").read_text(encoding="utf-8")
            found[module.name] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


def main(argv: list[str]) -> int:
    """Run one benchmark, or list them all."""
    known = names()
    if not argv or argv[0] not in known:
        print("python -m benchmarks NAME, where NAME is one of\n")
        print("\n".join(f"  {name:<12}{about}" for name, about in known.items()))
        return 0 if not argv or argv[0] in ("-h", "--help") else 2
    try:
        importlib.import_module(f"benchmarks.{argv[0]}").main(argv[1:])
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    # So that servers and trainings that a benchmark started end with it, whoever ends it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
