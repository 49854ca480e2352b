"""Divide a filter by what its conditions are about.

A filter is true where all its top-level conditions are, so each can be evaluated where it is
cheapest. Datums are selected in SQL, labels and higher scores in the ledger, and annotations
by matching again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from velour_plugin.errors import BadFilter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import (
    Call,
    Literal,
    Node,
    Property,
    conjunction,
    conjuncts,
    properties,
)


@dataclass(frozen=True, slots=True)
class Split:
    """A filter's conditions by what they are about; ``None`` where there is none.

    Args:
        datums: on datums, their metadata and locations.
        annotations: on regions and metadata of annotations; all on the same annotation.
        labels: on ``label.key`` and ``label.value``.
        predictions: on the number of predictions of a datum, maybe mixed with ``datums``.
        min_score: predictions count from this score on, it included.
        scores: other conditions on ``score``, which no ledger answers.
        runs: on models, runs and datasets.
    """

    datums: Node | None = None
    annotations: Node | None = None
    labels: Node | None = None
    min_score: float | None = None
    scores: Node | None = None
    runs: Node | None = None
    predictions: Node | None = None

    @property
    def needs_matching(self) -> bool:
        """Whether a ledger that was matched without this filter cannot answer it."""
        return self.annotations is not None or self.scores is not None


def split_filter(node: Node | None) -> Split:
    """Divide a filter by what its conditions are about.

    Raises:
        BadFilter: a condition below OR or NOT mixes properties of different things.
    """
    parts: dict[str, list[Node]] = {name.name: [] for name in fields(Split)}
    lowest: list[float] = []
    for part in conjuncts(node):
        about = subject_of(part)
        bound = _bound(part) if about == "score" else None
        if bound is None:
            parts[f"{about}s"].append(part)
        else:
            lowest.append(bound)
    known = {name: conjunction(some) for name, some in parts.items() if name != "min_score"}
    return Split(**known, min_score=max(lowest, default=None))


def subject_of(part: Node) -> str:
    """Return what a condition is about, such as ``datum``, ``label`` or ``run``.

    Predictions of a datum may be compared with its other properties.

    Raises:
        BadFilter: it mixes properties of different things.
    """
    named = {prop.about: prop for prop in properties(part)}
    if set(named) == {"datum", "prediction"}:
        return "prediction"
    if len(named) > 1:
        first, second, *_ = (named[about] for about in sorted(named))
        raise BadFilter(
            f"{to_text(part)} mixes {first.name} (about a {first.about}) with {second.name} (about "
            f"a {second.about}): join conditions on different things with AND at the top only."
        )
    return next(iter(named))


def family_revisions(used: Iterable[Property]) -> dict[str, str] | None:
    """Return the revisions of the families of properties: part of the key of a cached answer.

    ``None`` when a family's values may change at any moment: such answers are not cached.
    """
    families = [prop.family for prop in used]
    revisions = {family.prefix: family.revision for family in families if family is not None}
    known = {prefix: revision for prefix, revision in revisions.items() if revision is not None}
    return known if len(known) == len(revisions) else None


def _bound(part: Node) -> float | None:
    """The lowest score that passes ``score >= s`` or ``> s``; ``None`` for other conditions."""
    if not isinstance(part, Call) or part.op not in (">=", ">"):
        return None
    prop, limit = part.args
    if prop != Property("score") or not isinstance(limit, Literal):
        return None
    lowest = float(limit.value)
    return lowest if part.op == ">=" else math.nextafter(lowest, math.inf)
