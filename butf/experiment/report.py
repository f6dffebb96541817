"""The results of an experiment as a page of Markdown."""

from __future__ import annotations

from typing import Any

DAY = ("overcast", "lowsun", "rain")


def markdown(results: dict[str, Any], command: str, title: str = "The talk's claim, measured") -> str:
    """A page like `docs/results.md` from the values that `findings.report` made."""
    parts = [
        f"# {title}",
        _preface(results, command),
        "## recall@1",
        _recall_table(results["models"]),
        "## Who beats whom",
        _claims_text(results["claims"]),
        _claims_table(results["claims"]),
        "## Reconstruction of depth",
        _side_table(results["models"]),
        "## What training costs",
        _cost_table(results["models"]),
    ]
    if results["sweep"]:
        parts += ["## Diversification", _sweep_text(results["sweep"]), _sweep_table(results["sweep"])]
    if any(model["real"] for model in results["models"]):
        parts += ["## Off our own street", _real_text(results), _real_table(results["models"])]
    return "\n\n".join(parts) + "\n"


def _preface(results: dict[str, Any], command: str) -> str:
    seeds = ", ".join(map(str, results["seeds"]))
    text = (
        f"Written by `{command}`, with its JSON in `docs/results/`. Trained on {results['trained_on']}, "
        f"{results['common'].get('steps')} optimiser steps in each training step, seeds {seeds}; judged on "
        f"{results['dataset']}, split {results['split']}: {results['queries']} queries, right within "
        f"{results['radius_m']:g} m. Intervals are 95 %, by a bootstrap over seeds and squares of the map."
    )
    if results.get("note"):
        text += f"\n\n{results['note']}"
    if results.get("quick"):
        text += "\n\n**A walk through the whole path in minutes: its numbers mean nothing.**"
    if results["missing"]:
        text += f"\n\n**Not trained yet ({len(results['missing'])}):** " + ", ".join(results["missing"]) + "."
    if results["deviations"]:
        text += "\n\n**Trained before the plan was changed:** " + "; ".join(results["deviations"]) + "."
    names = (*results["missing"], *(model["name"] for model in results["models"]))
    if results.get("experiment", "paper") == "paper" and not any("alexnet" in name for name in names):
        text += "\n\nAlexNet is left out: where this was made its ImageNet weights could not be had (`BUTF_ALEXNET`)."
    return text


def _recall_table(models: list[dict[str, Any]]) -> str:
    names = [entry["condition"] for entry in models[0]["conditions"]]
    header = ["model", "seeds", "size", "seen, mean", "unseen, mean", *names]
    rows = [
        [
            model["name"], str(len(model["seeds"])), f"{model['size_ratio']:.2f}x",
            *(_with_interval(entry) for entry in model["groups"]),
            *(f"{100 * entry['recall']:.1f}" for entry in model["conditions"]),
        ]
        for model in models
    ]  # fmt: skip
    about = "\n".join(f"- **{model['name']}**: {model['about']}" for model in models)
    return f"{table(header, rows)}\n\n{about}"


def _claims_text(claims: list[dict[str, Any]]) -> str:
    return (
        "p is two-sided, from flips of whole squares of the map, each query averaged over its seeds. "
        "`wanted` is the gain that was asked for in advance: it holds when the gain reaches it and p < 0.01; "
        "a loss that was allowed needs no p."
    )


def _claims_table(claims: list[dict[str, Any]]) -> str:
    header = ["a", "over b", "where", "seeds", "gain, points", "95 %", "by seed", "p", "wanted", "holds"]
    rows = [
        [
            claim["a"], claim["b"], claim["where"], str(len(claim["seeds"])), _points(claim["gain"]),
            f"{_points(claim['interval95'][0])} to {_points(claim['interval95'][1])}",
            ", ".join(map(_points, claim["by_seed"])), f"{claim['p']:.4f}", _points(claim["wanted"]),
            "yes" if claim["holds"] else "**no**",
        ]
        for claim in claims
    ]  # fmt: skip
    return table(header, rows)


def _side_table(models: list[dict[str, Any]]) -> str:
    header = ["model", "AbsRel by day", "delta1 by day", "AbsRel at night", "delta1 at night"]
    rows = []
    for model in models:
        if "side" not in model:
            continue
        side = {entry["condition"]: entry for entry in model["side"]}
        day, night = [side[name] for name in DAY if name in side], side.get("night")
        cells = [
            f"{sum(entry[metric] for entry in entries) / len(entries):.3f}" if entries else "-"
            for entries in (day, [night] if night else [])
            for metric in ("abs_rel", "delta1")
        ]
        rows.append([model["name"], *cells])
    return table(header, rows)


def _cost_table(models: list[dict[str, Any]]) -> str:
    header = ["model", "training steps", "pictures", "seconds", "parameters trained", "deployed", "descriptor"]
    rows = [
        [
            model["name"], str(model["training_steps"]), f"{model['images_seen']:,}",
            "-" if model["seconds"] is None else f"{model['seconds']:.0f}", f"{model['trained_parameters']:,}",
            f"{model['parameters']:,}", f"{model['descriptor_dim']:,}" if "descriptor_dim" in model else "-",
        ]
        for model in models
    ]  # fmt: skip
    return table(header, rows)


def _sweep_text(sweep: list[dict[str, Any]]) -> str:
    return (
        "recall@1 of bu-tf over the margin of equation 4 (lambda_div) and the weight of equation 2 (sigma_transfer), "
        f"{sweep[0]['steps']} optimiser steps in the second training step, one seed; in brackets the 95 % interval, "
        "then the gain over the same sigma_transfer without equation 4, with its p. The Compare page draws it."
    )


def _sweep_table(sweep: list[dict[str, Any]]) -> str:
    sigmas = list(dict.fromkeys(point["sigma_transfer"] for point in sweep))
    cells = {(point["lambda_div"], point["sigma_transfer"]): point["groups"] for point in sweep}
    rows = [
        [
            group,
            "none" if margin is None else f"{margin:g}",
            *(_swept(cells[margin, sigma][number]) if (margin, sigma) in cells else "-" for sigma in sigmas),
        ]
        for number, group in enumerate(("seen", "unseen"))
        for margin in dict.fromkeys(point["lambda_div"] for point in sweep)
    ]
    return table(["conditions", "lambda_div", *(f"sigma_transfer {sigma:g}" for sigma in sigmas)], rows)


def _swept(group: dict[str, Any]) -> str:
    text = _with_interval(group)
    return f"{text}, {_points(group['gain'])}, p {group['p']:.3f}" if "gain" in group else text


def _real_text(results: dict[str, Any]) -> str:
    return (
        "recall@1 on real pairs of pictures, none of which any model was trained on "
        f"({results.get('real_pairs')}); the recipe was chosen with them in view."
    )


def _real_table(models: list[dict[str, Any]]) -> str:
    rows = [
        [model["name"], f"{100 * sum(model['real']) / len(model['real']):.1f}",
         ", ".join(f"{100 * value:.1f}" for value in model["real"])]
        for model in models
        if model["real"]
    ]  # fmt: skip
    return table(["model", "recall@1", "by seed"], rows)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _with_interval(entry: dict[str, Any]) -> str:
    low, high = entry["interval95"]
    return f"{100 * entry['recall']:.1f} ({100 * low:.0f}-{100 * high:.0f})"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
