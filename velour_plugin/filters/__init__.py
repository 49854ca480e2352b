"""Filters: OGC CQL2 in text or JSON, or Python expressions; one tree, one meaning everywhere.

A comparison with a value that is missing, or of another type, is *unknown*, as in
SQL: neither it nor its negation selects the datum, and it never aborts a query.

Conditions on different things are joined by AND at the top. Conditions on datums select datums; on
labels, both true and predicted annotations; on scores, predictions; on annotations, true
annotations, all conditions on the same one; on runs, models and datasets, which evaluations take
part. The selection is evaluated as if there were nothing else: datums without any annotation left
still count, and a detection of an object that is left out is a false positive (for sizes,
``mAP_small`` and the like leave out both sides).

Properties are of families (:mod:`velour_plugin.filters.properties`); plugins add more:

- of datums ``uid``, ``dataset``, ``location``, and any other name is metadata, with a dotted path
  into nested metadata. Metadata called like one of these properties is ``metadata.NAME``.
- ``fact.SOURCE.NAME``: a number, a string or a list that a source wrote (``store.write_facts``);
  ``fact.tags``: a list of every datum, maybe empty. Facts are in a store; an evaluation on facts is
  of the datums that they select now, and its certificate names these.
- ``datum.labels``: a list of the labels that the ground truth shows, each as ``boat`` and with its
  key as ``class=boat``; ``datum.truths`` and ``datum.predictions``: how many annotations there are,
  whatever their labels and scores, the latter of one run. Labels are as they are stored, before
  any label map.
- ``label.key``, ``label.value``, ``score``; ``annotation.area``, ``annotation.geometry``,
  ``annotation.metadata.NAME``; ``annotation.form``: ``'box'``, ``'polygon'``, ``'multipolygon'``,
  ``'raster'`` or ``'embedding'``, the finest that is stored; NULL for a label of a whole datum.
- ``model``, ``run_id``, ``model.metadata.NAME`` (``store.save_model``), ``dataset.metadata.NAME``.

Images with at least one boat and no swimmer:
``'boat' IN (datum.labels) AND NOT 'swimmer' IN (datum.labels)``.

Rules:

- ``= <> < <= > >=``, ``BETWEEN``, ``IN``: values of one type; strings by code point.
- ``LIKE 'a%'``: ``%`` any text, ``_`` one character; after ``\\`` these are themselves.
- ``CASEI(a) = CASEI('b')``: without regard to case, as ``str.casefold`` has it.
- ``IS NULL``, ``AND``, ``OR``, ``NOT``: what is unknown stays unknown under ``NOT``.
- ``+ - * /`` on numbers: division by zero is unknown.
- ``captured_at > TIMESTAMP('2026-07-01T21:30:00Z')``: moments. A ``DATE('2026-07-01')`` compares
  with dates, and with the day of a moment in UTC. A string never compares with either.
- ``T_AFTER``, ``T_BEFORE``, ``T_EQUALS`` are ``>``, ``<``, ``=``; ``T_DURING(captured_at,
  INTERVAL('2026-07-01', '..'))`` lies between moments, ends excluded, or days, ends included.
- ``time >= '20:00'``, ``exposure > 'PT0.5S'``: a string in this form (ISO 8601) also compares with
  times of day and durations.
- ``S_INTERSECTS``, ``S_WITHIN``, ``S_CONTAINS``, ``S_DISJOINT``: places, longitude first, planar in
  degrees; of ``annotation.geometry`` in pixels. What crosses itself is unknown. Only
  ``BBOX(170, -20, -170, 20)``, whose west is beyond its east, goes over the antimeridian.
- ``DWITHIN(location, POINT(lon lat), 50, 'mi')``: geodesic on WGS84, the distance
  included; m, km, mi or nmi.
- ``A_CONTAINS(tags, ('x', 'y'))`` all of, ``A_OVERLAPS`` any of, ``'x' IN (tags)``: lists, of
  metadata and of facts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.filters.language.builder import field as field
    from velour_plugin.filters.language.parse import Where as Where
    from velour_plugin.filters.language.tree import Call as Call
    from velour_plugin.filters.language.tree import Literal as Literal
    from velour_plugin.filters.language.tree import Node as Node
    from velour_plugin.filters.language.tree import Property as Property
    from velour_plugin.filters.split import Split as Split

_HOME = {
    "Call": "language.tree",
    "Literal": "language.tree",
    "Node": "language.tree",
    "Property": "language.tree",
    "Split": "split",
    "Where": "language.parse",
    "field": "language.builder",
}

__all__ = [*_HOME, "parse_filter", "split_filter"]


def parse_filter(where: Where) -> Node | None:
    """Parse a filter into its tree, as :func:`language.parse.parse_filter`; ``None`` stays.

    Without a filter, nothing is imported.
    """
    if where is None:
        return None
    from velour_plugin.filters.language.parse import parse_filter

    return parse_filter(where)


def split_filter(node: Node | None) -> Split:
    """Divide a filter, as :func:`velour_plugin.filters.split.split_filter`; ``None`` is empty."""
    from velour_plugin.filters.split import Split, split_filter

    return Split() if node is None else split_filter(node)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"velour_plugin.filters.{_HOME[name]}"), name)
    globals()[name] = value
    return value
