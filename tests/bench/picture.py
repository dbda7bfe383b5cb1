"""Bars as a picture: a few rectangles and words of SVG, which look well on a light page and on a dark one."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path("docs")
WIDTH, LEFT, ROW, BAR = 720, 250, 28, 16
COLORS = ("#3355d1", "#9aa4b2")


def bars(name: str, title: str, rows: Sequence[tuple[str, float, float | None]], unit: str) -> str:
    """Write docs/<name>.svg, a bar a row and behind it what it is compared with; returns the line that shows it."""
    most = max(max(value, other or 0) for _, value, other in rows)
    scale, height = (WIDTH - LEFT - 90) / most, ROW * len(rows) + 8
    parts = [row(i, words, value, other, scale, unit) for i, (words, value, other) in enumerate(rows)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-size="12"'
    picture = f'{head} font-family="sans-serif"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    (DOCS / f"{name}.svg").write_text(picture + "\n")
    return f"![{title}]({name}.svg)"


def row(i: int, words: str, value: float, other: float | None, scale: float, unit: str) -> str:
    """One bar with its words before and its figure behind it."""
    y = ROW * i + 8
    behind = (
        f'<rect x="{LEFT}" y="{y}" width="{(other or 0) * scale:.0f}" height="{BAR}" fill="{COLORS[1]}" opacity=".4"/>'
    )
    bar = f'<rect x="{LEFT}" y="{y}" width="{value * scale:.0f}" height="{BAR}" fill="{COLORS[0]}"/>'
    end = LEFT + max(value, other or 0) * scale + 6
    label = f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end" fill="#6b7280">{escape(words)}</text>'
    return f'{behind}{bar}{label}<text x="{end:.0f}" y="{y + 12}" fill="#6b7280">{value:,.0f}{unit}</text>'
