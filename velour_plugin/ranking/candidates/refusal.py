"""Say why evaluations cannot be compared: what differs, in whose, and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from velour_plugin.errors import NotComparable
from velour_plugin.filters import parse_filter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate

Differing = Mapping[str, Mapping[str, Sequence[str]]]
"""By field of the certificate the runs that have each value, which is JSON."""

_DIGESTS = ("dataset_digest", "datums_digest", "groundtruth_digest")
_EXPLAINED = 3
"""Steps from a version to the next one that a message explains."""
_NAMED = 5


def refuse(
    reader: Reader, candidates: Sequence[Candidate], differing: Differing, may_intersect: bool
) -> NoReturn:
    """Raise an error that lists the differing fields, and what differs in the data.

    Args:
        reader: of the store that has the evaluations.
        candidates: the evaluations.
        differing: the fields in which they differ.
        may_intersect: whether they could be compared over the datums that they share.

    Raises:
        NotComparable: always.
    """
    others = {field: by for field, by in sorted(differing.items()) if field not in _DIGESTS}
    lines = [*_data(reader, candidates, differing), *map(_line, others, others.values())]
    # only the last of the digests differs where datums and filter are the same
    lines = lines or [_line(field, by) for field, by in sorted(differing.items())]
    raise NotComparable(
        "these evaluations do not answer the same question; they differ in\n"
        + "\n".join(f"  {line}" for line in lines)
        + f"\nEither {_way_out(differing, may_intersect)}, or name the runs to compare with "
        "runs=[…] (--run)."
    )


def _way_out(differing: Differing, may_intersect: bool) -> str:
    if may_intersect:
        return (
            "on_mismatch='intersect' (--on-mismatch intersect) compares them over the datums that "
            "they share"
        )
    if all(field == "label_map" or field.startswith("parameters.") for field in differing):
        return (
            "evaluate them again in the same way, or rank them all with the same parameters={…} "
            "(--parameters)"
        )
    return "evaluate them again in the same way"


def _data(reader: Reader, candidates: Sequence[Candidate], differing: Differing) -> Iterator[str]:
    """The versions that evaluations are on, and what changed from each to the next."""
    if "dataset_digest" not in differing:
        return
    versions = {item.version.digest: item.version for item in candidates}
    runs = {json.loads(digest): names for digest, names in differing["dataset_digest"].items()}
    ordered = sorted(versions.values(), key=lambda version: version.number)
    yield "dataset: " + "; ".join(
        f"{version.dataset} v{version.number} in {_listed(runs[version.digest])}"
        for version in ordered
    )
    for before, after in [*pairwise(ordered)][:_EXPLAINED]:
        yield f"  {reader.diff(before.dataset, before.number, after.number).summary}"


def _line(part: str, by: Mapping[str, Sequence[str]]) -> str:
    values = (f"{_shown(part, value)} in {_listed(runs)}" for value, runs in by.items())
    return f"{part}: {'; '.join(values)}"


def _shown(part: str, value: str) -> str:
    """A value of a certificate: a filter as CQL2 text, anything else as JSON."""
    content = json.loads(value)
    if content is None:
        return "none"
    if part.startswith("filter"):
        node = parse_filter(json.loads(content) if isinstance(content, str) else content)
        assert node is not None
        value = to_text(node)
    return value if len(value) <= 60 else value[:57] + "…"


def _listed(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return ", ".join(runs[:_NAMED]) + more
