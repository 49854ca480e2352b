"""An evaluation as one page of HTML that needs nothing else: no network, no other file.

Figures are drawn by plotly.js, which lies in the page once, packed; a browser unpacks it when the
page is opened. Whatever comes from data is escaped.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from velour_plugin.report.drawing import Drawn
from velour_plugin.report.figures import figures
from velour_plugin.report.findings import Findings

ROWS, COLUMNS, FACTS = 100, 8, 6
"""Rows of a table, numbers about a label, and what is told of a datum's metadata, at most."""


def report(findings: Findings, images: Sequence[Drawn] = ()) -> str:
    """Write the page.

    Args:
        findings: what to show.
        images: of the worst datums, drawn.
    """
    evaluation = findings.evaluation
    title = f"{evaluation.model} on {evaluation.certificate.dataset}"
    specs = figures(findings)
    sections = [
        _headline(findings),
        _figures(specs),
        _worst(findings, images),
        _slices(findings),
        _labels(findings),
        _certificate(findings),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="quiet">{escape(evaluation.task)}, datums: {len(findings.datums):,}, '
            f"labels: {len(findings.labels):,}</p>",
            *sections,
            _scripts(specs),
            "</body></html>",
        ]
    )


def _headline(findings: Findings) -> str:
    tiles = "".join(
        f"<div><b>{_number(value)}</b><span>{escape(name)}</span></div>"
        for name, value in findings.evaluation.headline.items()
    )
    return f'<section id="headline" class="tiles">{tiles}</section>'


def _figures(specs: Mapping[str, Any]) -> str:
    frames = "".join(
        f'<div class="figure" id="{escape(name)}" data-figure="{escape(name)}"></div>'
        for name in specs
    )
    return f'<section id="figures" class="figures">{frames}</section>'


def _worst(findings: Findings, images: Sequence[Drawn]) -> str:
    if not findings.worst:
        return ""
    shown = "".join(
        f'<figure><img alt="{escape(one.uid)}" src="{_inline(one)}">'
        f"<figcaption>{escape(one.uid)}</figcaption></figure>"
        for one in images
    )
    legend = (
        '<p class="quiet"><i class="true"></i> true <i class="said"></i> predicted</p>'
        if images
        else ""
    )
    table = _table(worst_rows(findings))
    return _section("worst", "Worst datums", f'{legend}<div class="images">{shown}</div>{table}')


def _slices(findings: Findings) -> str:
    rows = slice_rows(findings)
    return _section("slices-table", "Slices", _table(rows)) if rows else ""


def _labels(findings: Findings) -> str:
    rows = [dict(list(row.items())[:COLUMNS]) for row in label_rows(findings)]
    return _section("per-class", "Labels", _table(rows)) if rows else ""


def _certificate(findings: Findings) -> str:
    facts = certificate_rows(findings)
    return _section("certificate", "What was asked", _table(facts))


def label_rows(findings: Findings) -> list[dict[str, Any]]:
    """A row a label: its name, what it is judged by, how many datums show it, other numbers."""
    rows = []
    for label in findings.labels:
        (first, value), *others = label.values.items()
        rows.append({"label": label.name, first: value, "datums": label.datums, **dict(others)})
    return rows


def slice_rows(findings: Findings) -> list[dict[str, Any]]:
    """A row a slice: its name, the task's first metric, how many datums, what differs."""
    return [
        {
            "slice": f"{part.by}: {part.name}",
            findings.metric: part.value,
            "datums": part.datums,
            "difference": part.difference,
        }
        for part in findings.slices
    ]


def worst_rows(findings: Findings) -> list[dict[str, Any]]:
    """A row each of the worst datums: its name, its errors, what they are, what is known of it."""
    rows = []
    for place in findings.worst:
        datum = findings.datums[place]
        columns = {
            name: None if column[place] != column[place] else column[place].item()
            for name, column in findings.by_datum.items()
        }
        plain, taken = (str, bool, int, float), {"datum", *columns}
        known = {name: said for name, said in datum.metadata.items() if isinstance(said, plain)}
        rows.append(
            {
                "datum": datum.uid,
                "errors": columns.pop("errors"),
                **columns,
                **{name: known[name] for name in list(known)[:FACTS] if name not in taken},
            }
        )
    return rows


def certificate_rows(findings: Findings) -> list[dict[str, Any]]:
    """What makes the evaluation comparable, a row a field."""
    told = {"evaluation": findings.evaluation.id, **findings.evaluation.certificate.to_dict()}
    return [
        {"field": name, "value": said if isinstance(said, str) else json.dumps(said)}
        for name, said in told.items()
    ]


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
    return f"<td>{'–' if value is None else escape(str(value))}</td>"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _inline(one: Drawn) -> str:
    content = io.BytesIO()
    one.image.save(content, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _scripts(specs: Mapping[str, Any]) -> str:
    if not specs:
        return ""
    said = json.dumps(specs, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="specs">{said}</script>'
        f'<script type="text/plain" id="plotly">{_plotly()}</script><script>{_DRAW}</script>'
    )


@cache
def _plotly() -> str:
    """plotly.js, deflated and in base64: a third of its size."""
    source = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return base64.b64encode(zlib.compress(source, 6)).decode()


_DRAW = """
(async () => {
  const frames = [...document.querySelectorAll("[data-figure]")];
  try {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(plain).text();
    document.head.append(script);
    const specs = JSON.parse(document.getElementById("specs").textContent);
    const config = {responsive: true, displaylogo: false};
    for (const frame of frames) {
      const {data, layout} = specs[frame.dataset.figure];
      await Plotly.newPlot(frame, data, layout, config);
    }
    document.body.dataset.drawn = frames.length;
  } catch (error) {
    for (const frame of frames) frame.textContent = `This browser cannot draw: ${error}`;
  }
})();
"""

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1f2933; background: #f6f7f9;
       margin: 0 auto; padding: 20px; max-width: 1280px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 16px; margin: 0 0 8px }
.quiet { color: #616e7c; margin: 2px 0 12px }
section { margin: 0 0 16px } section[id]:not(.tiles):not(.figures) {
  background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; padding: 14px 16px }
.tiles { display: grid; gap: 8px; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)) }
.tiles div { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; padding: 8px 12px }
.tiles b { display: block; font-size: 18px; font-variant-numeric: tabular-nums }
.tiles span { color: #616e7c; font-size: 12px }
.figures { display: grid; gap: 12px; align-items: start;
           grid-template-columns: repeat(auto-fill, minmax(min(440px, 100%), 1fr)) }
.figure { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; min-height: 380px;
          min-width: 0; overflow: hidden; padding: 4px }
.images { display: grid; gap: 10px;
          grid-template-columns: repeat(auto-fill, minmax(240px, 1fr));
          margin-bottom: 12px }
.images figure { margin: 0 } .images img { width: 100%; border-radius: 6px; display: block }
figcaption { color: #616e7c; font-size: 12px; overflow-wrap: anywhere }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
th { text-align: left; color: #616e7c; font-weight: 600; white-space: nowrap }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid #eceff3; vertical-align: top }
td { overflow-wrap: anywhere } .number { font-variant-numeric: tabular-nums; white-space: nowrap }
i.true, i.said { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
                 vertical-align: -1px }
i.true { background: #009e73 } i.said { background: #e67800 }
#certificate td:first-child { white-space: nowrap }
"""
