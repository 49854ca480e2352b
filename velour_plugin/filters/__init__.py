"""Filters over datums: OGC CQL2 in text or JSON, one expression tree, one meaning everywhere.

A comparison with a value that is missing, or of another type, is *unknown*, as in
SQL: neither it nor its negation selects the datum, and it never aborts a query.
"""

from velour_plugin.filters.parse import parse_filter
from velour_plugin.filters.tree import Call, Literal, Node, Property

__all__ = ["Call", "Literal", "Node", "Property", "parse_filter"]
