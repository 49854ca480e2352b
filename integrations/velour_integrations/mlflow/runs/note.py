"""The note on a run or an experiment: our part, between marks, beside what people wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from velour_plugin import EvaluatedRun
from velour_plugin.plugin import Findings, interval_text

TAG = "mlflow.note.content"

TRAINING = "?workflowType=machine_learning"
"""Ends links: without it MLflow opens its pages for language models."""

_BEGIN, _END = "<!-- velour -->", "<!-- /velour -->"
_OURS = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
_SHOWN, _LONGEST = 6, 7_900


def with_ours(note: str | None, ours: str, first: bool = False) -> str | None:
    """Return a note with our part put in or replaced; ``None`` when there is no room for it.

    Args:
        note: as people wrote it, perhaps with our part already.
        ours: our part.
        first: whether it goes before what people wrote.

    >>> print(with_ours("Mine.", "mAP 0.5"))
    Mine.
    <BLANKLINE>
    <!-- velour -->
    mAP 0.5
    <!-- /velour -->
    """
    part = f"{_BEGIN}\n{ours}\n{_END}"
    note = (note or "").rstrip()
    if _OURS.search(note):
        whole = _OURS.sub(lambda _: part, note, count=1)
    else:
        parts = (part, note) if first else (note, part)
        whole = "\n\n".join(text for text in parts if text)
    return whole if len(whole) <= _LONGEST else None


def run_note(findings: Findings, run: EvaluatedRun, files: Iterable[str], view: str | None) -> str:
    """Write the note of a run on its evaluation: headline metrics with intervals, links, data."""
    evaluation, certificate = findings.evaluation, findings.evaluation.certificate
    known = [(name, value) for name, value in evaluation.headline.items() if value is not None]
    numbers = ", ".join(_number(name, value, findings) for name, value in known[:_SHOWN])
    if findings.intervals:
        numbers += f" (95 % confidence intervals from {findings.resamples:,} resamples)"
    page = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts"
    links = [f"[{_TITLES[name]}]({page}/{name}{TRAINING})" for name in files if name in _TITLES]
    links += [f"[all runs compared]({view})"] if view else []
    lines = [
        " · ".join(links),
        numbers or "Every headline metric is undefined on these data.",
        f"{_plain(evaluation.model)} on {_plain(certificate.dataset)} "
        f"`{certificate.dataset_digest[:12]}`, {len(findings.datums):,} datums"
        + (f", where `{certificate.filter}`" if certificate.filter else ""),
        f"{evaluation.task} {certificate.evaluator_version}, evaluation `{evaluation.id[:12]}`",
    ]
    return "  \n".join(line for line in lines if line)  # MLflow covers all but the first lines


def _number(name: str, value: float, findings: Findings) -> str:
    number, interval = f"{name} **{value:.4f}**", findings.intervals.get(name)
    if interval is None:
        return number
    return f"{number} [{interval_text(interval.ends, interval.rough, digits=4)}]"


def _plain(text: str) -> str:
    """Text of which nothing is read as Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text.replace("\n", " "))


_TITLES = {
    "velour_report.html": "report",
    "velour_per_class.json": "labels",
    "velour_slices.json": "slices",
    "velour_worst.json": "worst datums",
    "velour_map.geojson": "map",
}
