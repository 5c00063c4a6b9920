"""Lines over the steps of a measurement, as SVG: what a browser and a forge show without a library."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 720, 300, 60, 36, 44, 220
COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")


def svg(title: str, steps: Sequence[str], lines: Mapping[str, Sequence[float | None]]) -> str:
    """A chart of one value per step for each line; None is a gap. `steps` name the places below."""
    top = max((value for values in lines.values() for value in values if value is not None), default=0) or 1
    across = (WIDTH - LEFT - RIGHT) / max(len(steps) - 1, 1)
    down = HEIGHT - TOP - BOTTOM
    base = HEIGHT - BOTTOM

    def place(number: int, value: float) -> tuple[str, str]:
        return f"{LEFT + number * across:.1f}", f"{base - down * value / top:.1f}"

    drawn = [
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
        *(_level(base - down * part / 4, top * part / 4) for part in range(5)),
        *(
            f'<text x="{place(number, 0)[0]}" y="{base + 18}" text-anchor="middle">{escape(name)}</text>'
            for number, name in enumerate(steps)
        ),
        f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{HEIGHT - 8}" text-anchor="middle">clients at a time</text>',
    ]
    for number, (name, values) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        dots = [place(at, value) for at, value in enumerate(values) if value is not None]
        drawn += [
            f'<polyline points="{" ".join(map(",".join, dots))}" fill="none" stroke="{color}" stroke-width="2"/>',
            *(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in dots),
            f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 16 * number + 8}" fill="{color}">{escape(name)}</text>',
        ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *drawn, "</svg>", ""])


def _level(y: float, value: float) -> str:
    return (
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
    )
