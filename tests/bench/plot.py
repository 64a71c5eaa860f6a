"""The plots that docs/PERFORMANCE.md shows, as small SVG files that are readable on light and on dark ground.

Runs on the packages of requirements/bench.txt: `plot.py build/bench.json FOLDER`.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# What the style sheet below replaces on dark ground; the ground itself stays transparent.
INK = "#24292f"
OURS, OTHERS = "#2f81f7", "#9a9fa6"
DARK = f'<style>@media (prefers-color-scheme: dark) {{ [style*="{INK}"] {{ fill: #e6edf3 !important }} }}</style>'
WIDTH = 7.2
# Text stays text, and the same figures give the same file.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "cloud-sayings", "font.family": "sans-serif", "font.size": 10}

Measurements = Mapping[str, Mapping[str, Any]]


def requests_per_second(found: Measurements) -> Figure:
    values = {
        match[1]: each["value"]
        for name, each in found.items()
        if (match := re.fullmatch(r"GET /sayings, (.+), 32 at once", name))
    }
    (proxy,) = found["A saying, per second"]["details"].items()
    return bars("Warm GET /sayings: requests per second on one core", values | dict([proxy]), "{:,.0f}")


def cold_start(found: Measurements) -> Figure:
    of = "Cold start to the first saying"
    ours, early = found[of], found[f"{of}, SDKs when needed"]
    values = {
        "ours": ours["value"],
        **{each["baseline"]: each["details"][each["baseline"]] for each in (ours, early)},
        "ours, to the first live saying": found["Cold start to the first live saying"]["value"],
    }
    return bars("Cold start of the package to the first saying, in ms", values, "{:,.0f}")


def stats(found: Measurements) -> Figure:
    values = {}
    for name, each in found.items():
        if match := re.fullmatch(r"GET /stats at ([\d,]+) votes, nothing cached", name):
            values[match[1]] = each["value"]
            values[each["baseline"].split()[1]] = each["details"][each["baseline"]]
    by_size = sorted(values.items(), key=lambda item: int(item[0].replace(",", "")))
    return bars(
        "GET /stats by the number of votes, in ms", {f"ours, {votes} votes": ms for votes, ms in by_size}, "{:.2g}"
    )


def bars(title: str, values: Mapping[str, float], form: str) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.6 + 0.32 * len(values)), layout="constrained")
    axes: Axes = figure.subplots()
    colours = [OURS if name.startswith("ours") else OTHERS for name in values]
    drawn = axes.barh(list(values), list(values.values()), color=colours, height=0.7)
    axes.bar_label(drawn, [form.format(value) for value in values.values()], padding=4, color=INK)
    axes.invert_yaxis()
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.set_xticks([])
    axes.tick_params(length=0, labelcolor=INK)
    axes.margins(x=0.12)
    axes.spines[:].set_visible(False)
    return figure


PLOTS = {"requests-per-second": requests_per_second, "cold-start": cold_start, "stats": stats}


def main(results: Path, folder: Path) -> None:
    measurements = {each["name"]: each for each in json.loads(results.read_text())["measurements"]}
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.items():
            path = folder / f"{name}.svg"
            plot(measurements).savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
            path.write_text(re.sub(r"(<svg [^>]*>)", rf"\1{DARK}", path.read_text(), count=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
