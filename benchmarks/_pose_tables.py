"""The report of `benchmarks localize` as the tables of docs/localize.md."""

from __future__ import annotations

from typing import Any

MIDDLE = "0.5 m, 5 deg"


def as_markdown(report: dict[str, Any]) -> str:
    """Every method under every condition by the first model, then all models within 0.5 m and 5 degrees."""
    entries = report["entries"]
    models = list(dict.fromkeys(entry["model"] for entry in entries))
    conditions = list(dict.fromkeys(entry["condition"] for entry in entries))
    first = [entry for entry in entries if entry["model"] == models[0]]
    tables = [_whole(first, conditions)]
    if len(models) > 1:
        tables.append(_models(entries, models, conditions))
    return "\n\n".join(tables)


def _whole(entries: list[dict[str, Any]], conditions: list[str]) -> str:
    names = list(entries[0]["within"])
    lines = [_row(("condition", "how", *names, "median m", "median deg", "s/query")), "|---" * (len(names) + 5) + "|"]
    for condition in conditions:
        for entry in (entry for entry in entries if entry["condition"] == condition):
            shares = (_share(entry, name) for name in names)
            numbers = _number(entry["median_m"], 2), _number(entry["median_deg"], 1), _number(entry.get("seconds"), 2)
            lines.append(_row((condition, _how(entry), *shares, *numbers)))
    return "\n".join(lines)


def _models(entries: list[dict[str, Any]], models: list[str], conditions: list[str]) -> str:
    lines = [_row(("model", "how", *conditions)), "|---" * (len(conditions) + 2) + "|"]
    for model in models:
        own = [entry for entry in entries if entry["model"] == model]
        for how in dict.fromkeys(map(_how, own)):
            found = {entry["condition"]: _share(entry, MIDDLE) for entry in own if _how(entry) == how}
            if not how.startswith("regression"):
                lines.append(_row((model, how, *(found.get(condition, "-") for condition in conditions))))
    return "\n".join(lines)


def _how(entry: dict[str, Any]) -> str:
    if entry["depth"] is not None:
        return f"{entry['method']}, {entry['depth']}"
    return f"{entry['method']} (trained on it)" if entry.get("trained") else entry["method"]


def _share(entry: dict[str, Any], name: str) -> str:
    low, high = entry["interval95"][name]
    return f"{100 * entry['within'][name]:.0f} ({100 * low:.0f}-{100 * high:.0f})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
