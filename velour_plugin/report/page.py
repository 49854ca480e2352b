"""An evaluation as one page of HTML that needs no network and no other file.

Figures are drawn by plotly.js, which lies in the page once, packed; a browser unpacks it when the
page is opened. Whatever comes from data is escaped. A page usually takes 2 to 5 MB: 1.9 MB of
plotly.js, at most 10 images of 640 pixels and 60 of 220 pixels, and tables of at most 100 rows;
never more than about 15 MB, which images of noise would take.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from velour_plugin.answers.intervals import interval_text
from velour_plugin.ranking.uncertainty.intervals import ConfidenceInterval
from velour_plugin.report.cell_examples import examples_content
from velour_plugin.report.drawing import Drawn, data_url
from velour_plugin.report.figures import figures
from velour_plugin.report.findings import Findings
from velour_plugin.report.intervals import CONFIDENCE
from velour_plugin.report.page_assets import SCRIPT, STYLE, packed_plotly
from velour_plugin.report.rows import (
    DIGITS,
    certificate_rows,
    label_rows,
    leaderboard_rows,
    slice_rows,
    worst_rows,
)

ROWS, COLUMNS, CHARACTERS = 100, 8, 1_000
"""Rows of a table, metrics of a label, and characters of a cell, at most."""


def report(findings: Findings, images: Sequence[Drawn] = ()) -> str:
    """Return the report of an evaluation as one page of HTML that needs no other file.

    Args:
        findings: what to show.
        images: of the worst datums and of examples of errors, drawn.
    """
    evaluation = findings.evaluation
    title = f"{evaluation.model} on {evaluation.certificate.dataset}"
    specs = figures(findings)
    examples = examples_content(findings, images)
    sections = [
        _headline(findings),
        _leaderboard(findings),
        _figures(specs, examples is not None),
        _worst(findings, images),
        _slices(findings),
        _labels(findings),
        _section("certificate", "Certificate", _table(certificate_rows(findings))),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="quiet">{escape(evaluation.task)}, datums: {len(findings.datums):,}, '
            f"labels: {len(findings.labels):,}{_about_intervals(findings)}</p>",
            *sections,
            _scripts(specs, examples),
            "</body></html>",
        ]
    )


def _about_intervals(findings: Findings) -> str:
    if not findings.intervals:
        return ""
    return f"; {CONFIDENCE:.0%} confidence intervals from {findings.resamples:,} resamples"


def _headline(findings: Findings) -> str:
    tiles = "".join(
        f"<div><b>{_number(value)}</b>"
        f"{_interval(findings.intervals.get(name))}"
        f"<span>{escape(name)}</span></div>"
        for name, value in findings.evaluation.headline.items()
    )
    return f'<section id="headline" class="tiles">{tiles}</section>'


def _interval(interval: ConfidenceInterval | None) -> str:
    """An interval under its value; a rough one is dim and says why."""
    why = f' class="quiet" title="{escape(interval.rough)}"' if interval and interval.rough else ""
    text = "" if interval is None else interval_text(interval.ends, interval.rough, DIGITS)
    return f"<small{why}>{text}</small>"


def _leaderboard(findings: Findings) -> str:
    rows = leaderboard_rows(findings)
    title = f"Models on {findings.evaluation.certificate.dataset}, by {findings.metric}"
    return _section("leaderboard", title, _table(rows)) if rows else ""


def _figures(specs: Mapping[str, Any], with_examples: bool) -> str:
    frames = "".join(
        f'<div class="figure"><div id="{escape(name)}" data-figure="{escape(name)}"></div>'
        + (_EXAMPLES_HINT if with_examples and name == "confusion" else "")
        + (_COAST_NOTE if name == "map" else "")
        + "</div>"
        for name in specs
    )
    return f'<section id="figures" class="figures">{frames}</section>'


def _worst(findings: Findings, images: Sequence[Drawn]) -> str:
    if not findings.worst:
        return ""
    by_uid = {image.uid: image for image in images}
    worst = [findings.datums[index].uid for index in findings.worst]
    shown = [by_uid[uid] for uid in worst if uid in by_uid]
    gallery = "".join(
        f'<figure><img alt="{escape(image.uid)}" src="{data_url(image.image)}">'
        f"<figcaption>{escape(image.uid)}</figcaption></figure>"
        for image in shown
    )
    cost = f'<p class="quiet">cost: gain of {escape(findings.metric)} if the datum is left out</p>'
    content = (_LEGEND if shown else "") + f'<div class="images">{gallery}</div>'
    return _section("worst", "Worst datums", content + cost + _table(worst_rows(findings)))


def _slices(findings: Findings) -> str:
    rows = slice_rows(findings)
    return _section("slices-table", "Slices", _table(rows)) if rows else ""


def _labels(findings: Findings) -> str:
    rows = [dict(list(row.items())[:COLUMNS]) for row in label_rows(findings)]
    return _section("per-class", "Labels", _table(rows)) if rows else ""


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}"><h2>{escape(title)}</h2>{content}</section>'


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(_cell(row.get(name)) for name in names) + "</tr>" for row in rows[:ROWS]
    )
    more = f'<p class="quiet">and {len(rows) - ROWS:,} more</p>' if len(rows) > ROWS else ""
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>{more}'


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td class="number">{_number(value)}</td>'
    text = "–" if value is None else str(value)
    if len(text) > CHARACTERS:
        text = f"{text[:CHARACTERS]}…"
    return f"<td>{escape(text)}</td>"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _scripts(specs: Mapping[str, Any], examples: Mapping[str, Any] | None) -> str:
    if not specs:
        return ""
    return (
        (_EXAMPLES_DIALOG + _json("examples-content", examples) if examples else "")
        + _json("specs", specs)
        + f'<script type="text/plain" id="plotly">{packed_plotly()}</script>'
        + f"<script>{SCRIPT}</script>"
    )


def _json(name: str, content: Mapping[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


_LEGEND = (
    '<p class="quiet"><i class="truth"></i> ground truth <i class="prediction"></i> prediction</p>'
)
_EXAMPLES_HINT = '<p class="quiet hint">Click a cell for examples of the error.</p>'
_COAST_NOTE = (
    '<p class="quiet hint">Coast lines: Natural Earth, 1:110 million; up to some 10 km off.</p>'
)
_EXAMPLES_DIALOG = """
<dialog id="examples"><form method="dialog"><button>Close</button></form>
<h2 id="examples-title"></h2><p class="quiet" id="examples-count"></p>
<div class="images" id="examples-list"></div></dialog>
"""
