"""Draws the picture of the page on leaderboards: ``python docs/leaderboard_picture.py``."""

import runpy
from pathlib import Path

import numpy as np

import velour_plugin as velour
from velour_plugin.plugin import LeaderboardRow

DOCS = Path(__file__).parent
WIDTH, LEFT, RIGHT, TOP, STEP = 860, 130, 560, 74, 52
LOW, HIGH = 0.2, 0.9
STYLE = """
text { font: 14px sans-serif; fill: #222 } .note { fill: #666; font-size: 12.5px }
.head { font-weight: bold } .mid { text-anchor: middle } .end { text-anchor: end }
.axis { stroke: #ddd } .tie { fill: #eaf3ea } .dot { fill: #1b3a5c }
.line { stroke: #3b6ea5; stroke-width: 5 } .rough { stroke: #bbb }
.fair { fill: white; stroke: #b4581a; stroke-width: 2.5 }
"""


def picture(board: velour.Leaderboard) -> str:
    """Draw a leaderboard as SVG: a row a model, its value as a dot, its interval as a line."""
    bottom = TOP + STEP * len(board)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 74}" role="img">',
        f"<title>{board.title}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{bottom + 74}" fill="white"/>',
        *_text(16, 28, board.title, "head"),
        *_text(RIGHT + 50, TOP - 16, "possible ranks", "note"),
        *_text(RIGHT + 160, TOP - 16, "chance to be best", "note"),
    ]
    for place, row in enumerate(board):
        parts += _band(row, TOP + STEP * place)
    for share in np.arange(LOW, HIGH + 0.01, 0.1):
        parts.append(
            f'<line class="axis" x1="{_x(share)}" x2="{_x(share)}" y1="{TOP}" y2="{bottom}"/>'
        )
        parts += _text(_x(share), bottom + 18, f"{share:.0%}", "note mid")
    for place, row in enumerate(board):
        parts += _row(row, TOP + STEP * (place + 0.5))
    if board.winner is not None:
        parts += _fair_value(board)
    parts += _text(16, bottom + 44, "dot: right on these photos.   line: where the share may lie "
                   "over all such photos.   green: maybe the best of all.", "note")  # fmt: skip
    parts += _text(16, bottom + 63, "orange: what to expect of the first, now that it was chosen "
                   "for having come first.", "note")  # fmt: skip
    return "\n".join([*parts, "</svg>", ""])


def _band(row: LeaderboardRow, top: float) -> list[str]:
    """A band behind a row that may be the best."""
    size = f'width="{WIDTH - 16}" height="{STEP - 6}" rx="6"'
    return [f'<rect class="tie" x="8" y="{top + 3}" {size}/>'] if row.tied_with_best else []


def _row(row: LeaderboardRow, middle: float) -> list[str]:
    (low, high), (best, worst) = row.interval, row.rank_interval
    kind = "line rough" if row.rough else "line"
    return [
        *_text(LEFT - 16, middle + 5, f"{row.rank}. {row.model}", "end"),
        f'<line class="{kind}" x1="{_x(low)}" x2="{_x(high)}" y1="{middle}" y2="{middle}"/>',
        f'<circle class="dot" cx="{_x(row.value)}" cy="{middle}" r="7"/>',
        *_text(RIGHT + 96, middle + 5, f"{best}–{worst}" if best < worst else f"{best}", "mid"),
        *_text(RIGHT + 212, middle + 5, f"{row.p_best:.0%}", "mid"),
    ]


def _fair_value(board: velour.Leaderboard) -> list[str]:
    """The first row's value, corrected for having come first, as a diamond above its line."""
    x, y = _x(board.winner.value), TOP + STEP / 2 - 13
    return [f'<path class="fair" d="M{x} {y - 7} l7 7 l-7 7 l-7 -7 z"/>']


def _x(share: float) -> float:
    return round(LEFT + (share - LOW) / (HIGH - LOW) * (RIGHT - LEFT), 1)


def _text(x: float, y: float, text: str, kind: str) -> list[str]:
    return [f'<text x="{x}" y="{y}" class="{kind}">{text}</text>']


if __name__ == "__main__":
    runpy.run_path(str(DOCS.parent / "examples" / "leaderboard.py"))["evaluate"]()
    board = velour.rank("accuracy", "birds")
    (DOCS / "how-to" / "leaderboard.svg").write_text(picture(board), encoding="utf-8")
