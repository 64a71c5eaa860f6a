"""The run as a picture: requests, their times and the server's memory by the second, the outages behind them."""

from collections.abc import Sequence
from html import escape

from tests.chaos.report import MEGABYTE, by_second, percentile
from tests.chaos.soak import Run
from tests.chaos.traffic import Visit

WIDTH, HEIGHT, LEFT, GAP = 900, 110, 70, 34
COLOURS = ("#1f6feb", "#d1242f", "#8250df")

Series = Sequence[tuple[float, float]]


def svg(run: Run, title: str) -> str:
    """An SVG document."""
    seconds = by_second(run)
    length = max(len(seconds), *(int(moment - run.beginning) + 1 for moment, _ in run.memory))
    panels: list[tuple[str, list[Series]]] = [
        ("requests a second", [[(at, len(visits)) for at, visits in enumerate(seconds)]]),
        ("p50 and p99, ms", [_times(seconds, 0.5), _times(seconds, 0.99)]),
        ("memory, MiB", [[(moment - run.beginning, size / MEGABYTE) for moment, size in run.memory]]),
    ]
    bands = [(start - run.beginning, end - run.beginning) for start, end in run.down]
    drawn = [
        _panel(name, lines, bands, length, GAP + number * (HEIGHT + GAP)) for number, (name, lines) in enumerate(panels)
    ]
    height = GAP + len(panels) * (HEIGHT + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{LEFT}" y="16" font-weight="bold">{escape(title)}</text>{"".join(drawn)}</svg>\n'
    )


def _times(seconds: Sequence[Sequence[Visit]], share: float) -> Series:
    return [
        (at, percentile([(visit.finished - visit.started) * 1000 for visit in visits], share))
        for at, visits in enumerate(seconds)
        if visits
    ]


def _panel(name: str, lines: Sequence[Series], bands: Sequence[tuple[float, float]], length: float, top: float) -> str:
    highest = max((value for line in lines for _, value in line), default=0) or 1
    shades = "".join(
        f'<rect x="{_x(start, length):.1f}" y="{top}" width="{_x(end, length) - _x(start, length):.1f}" '
        f'height="{HEIGHT}" fill="#eaeef2"/>'
        for start, end in bands
    )
    curves = "".join(
        f'<polyline fill="none" stroke="{colour}" points="{_points(line, length, top, highest)}"/>'
        for line, colour in zip(lines, COLOURS, strict=False)
    )
    return (
        f'{shades}<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#8c959f"/>{curves}'
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:,.0f}</text>'
        f'<text x="{LEFT + 6}" y="{top + 14}">{escape(name)}</text>'
        f'<text x="{LEFT + WIDTH}" y="{top + HEIGHT + 14}" text-anchor="end">{length:.0f} s</text>'
    )


def _points(line: Series, length: float, top: float, highest: float) -> str:
    return " ".join(f"{_x(at, length):.1f},{top + HEIGHT * (1 - value / highest):.1f}" for at, value in line)


def _x(at: float, length: float) -> float:
    return LEFT + WIDTH * at / length
