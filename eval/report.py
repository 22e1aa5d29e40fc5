"""One page with everything that was measured: tables, plots, the command behind each figure. It loads nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from eval.run import LIKED
from genrec.errors import DataError

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_KINDS = ("run", "rank", "ranks", "fair", "memory")
_WIDTH, _ROW, _MARGIN = 7.0, 0.32, 0.9
"""Inches."""
_COLOUR = "#2f5d8c"
_FIGURES = ("hr@10", "ndcg@10", "mrr")

Result = Mapping[str, Any]
Table = Sequence[Mapping[str, Any]]


def write(results: Sequence[Path], out: Path) -> int:
    """Write `out`, and the same as JSON beside it; returns how many results are in it.

    Raises:
        DataError: a file is none that a command of `eval` wrote, or the page cannot be written.
    """
    found = [_read(path) for path in results]
    strict = jinja2.StrictUndefined
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=strict)
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page.render(sections=[_section(result) for result in found]), encoding="utf-8")
        out.with_suffix(".json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}") from error
    return len(found)


def _read(path: Path) -> Result:
    try:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(result, dict) or result.get("kind") not in _KINDS:
        raise DataError(f"{path} is no result of python -m eval {', '.join(_KINDS)}")
    return result


def _section(result: Result) -> dict[str, Any]:
    about = f"{result['users']} users, {result['items']} items, {result['protocol']}"
    makers = {"run": _methods, "rank": _methods, "ranks": _places, "fair": _fair, "memory": _memory}
    return {
        "title": f"{result['kind']}: {result['data']}",
        "about": about,
        "command": result["command"],
        **makers[result["kind"]](result),
    }


def _methods(result: Result) -> dict[str, Any]:
    methods: Mapping[str, Mapping[str, Any]] = result["methods"]
    quality = [{"method": name, **_quality(one)} for name, one in methods.items()]
    lists = [{"method": name, **one["lists"]} for name, one in methods.items()]
    costs = [
        {"method": name, "chosen on validation": _said(one["chosen"]), "rates and costs": _said(one["rates"])}
        for name, one in methods.items()
    ]
    points = {name: (one["ndcg@10"], one["interval"]) for name, one in methods.items()}
    published = [result["published"]] if result.get("published") else []
    return {
        "tables": [quality, lists, *published, costs],
        "plots": [_ranges(points, "NDCG@10, 95% over users"), _scatter(methods)],
    }


def _quality(one: Mapping[str, Any]) -> dict[str, str]:
    row = {figure: f"{one[figure]:.4f} ({_ends(one['intervals'][figure])})" for figure in _FIGURES}
    if LIKED in one:
        row[LIKED] = f"{one[LIKED]:.4f} ({_ends(one[f'{LIKED}, interval'])})"
    for name, pair in one.items():
        if name.startswith("against "):
            row[name] = f"{pair['ndcg@10 difference']:+.4f} ({_ends(pair['interval'])}): {pair['verdict']}"
    return row


def _fair(result: Result) -> dict[str, Any]:
    tables: list[Table] = []
    plots: list[str] = []
    for name, one in result["methods"].items():
        parts = (one[part] for part in ("swaps", "groups", "exposure"))
        tables += [[{"method": name, **row} for row in rows] for rows in parts if rows]
        points = {row["attribute"]: (row["due to it"], row["interval"]) for row in one["swaps"]}
        if points:
            plots.append(_ranges(points, f"{name}: share of the first ten that an attribute changes, less the noise"))
        plots.append(_popularity(one["exposure"], f"{name}: what is shown, and what people take, by popularity"))
    return {"tables": tables, "plots": plots}


def _popularity(exposure: Table, title: str) -> str:
    """Shares of fifths of the items; who provides them stands in the table."""
    fifths = [row for row in exposure if row["items"].endswith(" fifth")]
    series = {share: [row[share] for row in fifths] for share in ("of places", "of takes")}
    return _curves(series, [row["items"].removesuffix(" fifth") for row in fifths], title, "share")


def _places(result: Result) -> dict[str, Any]:
    """What the place in the prompt does to the rank of an item."""
    bias = result["bias"]
    ways = [name for name in bias["curve"][0] if name.endswith(": rank")]
    series = {way.removesuffix(": rank"): [float(row[way]) for row in bias["curve"]] for way in ways}
    places = [row["place"] for row in bias["curve"]]
    title = "Mean rank of the item at each place of the prompt; flat where places do not matter"
    plot = _curves(series, places, title, "mean rank")
    return {"tables": [result["rows"], bias["spread"], bias["curve"]], "plots": [plot]}


def _memory(result: Result) -> dict[str, Any]:
    points = {row["prompt"]: (row["ndcg@10"], row["interval"]) for row in result["rows"]}
    title = f"{result['method']}: NDCG@10 by what the prompt says"
    return {"tables": [result["rows"]], "plots": [_ranges(points, title)]}


def _said(values: Mapping[str, Any]) -> str:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
    return ", ".join(f"{name} {value}" for name, value in rounded.items())


def _ends(interval: Sequence[float]) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def _ranges(points: Mapping[str, tuple[float, Sequence[float]]], title: str) -> str:
    """A mean and its interval for each name, one below the other."""
    figure = Figure(figsize=(_WIDTH, _MARGIN + _ROW * len(points)), layout="constrained")
    axes = figure.subplots()
    for place, (mean, (low, high)) in enumerate(points.values()):
        axes.plot([low, high], [place, place], color=_COLOUR, linewidth=2)
        axes.plot([mean], [place], "o", color=_COLOUR, markersize=5)
    axes.set_yticks(range(len(points)), list(points))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize=10, loc="left")
    return _svg(figure)


def _curves(series: Mapping[str, Sequence[float]], names: Sequence[str], title: str, unit: str) -> str:
    """One line for each series over the same names."""
    figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    for style, (name, values) in zip(cycle(("-o", "--s", ":^", "-.d")), series.items(), strict=False):
        axes.plot(range(len(values)), values, style, markersize=4, label=name)
    axes.set_xticks(range(len(names)), list(names))
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    return _svg(figure)


def _scatter(methods: Mapping[str, Mapping[str, Any]]) -> str:
    """Quality against coverage: the best of both is at the upper right."""
    figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, one in methods.items():
        if "coverage@10" in one["lists"]:
            place = (one["lists"]["coverage@10"], one["ndcg@10"])
            axes.plot(*place, "o", color=_COLOUR, markersize=5)
            axes.annotate(name, place, textcoords="offset points", xytext=(5, 4), fontsize=8)
    axes.set_xlabel("share of the catalogue in anybody's first ten")
    axes.set_ylabel("NDCG@10")
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    axes.set_title("Quality and coverage", fontsize=10, loc="left")
    return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return "<svg" + buffer.getvalue().partition("<svg")[2]
