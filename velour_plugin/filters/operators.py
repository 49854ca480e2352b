"""What every operator takes: a call is made here, or refused with what would be valid.

Text, JSON and Python expressions all come through :func:`call`, so they make one tree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from velour_plugin.errors import BadFilter, UnknownName
from velour_plugin.filters import places
from velour_plugin.filters.kinds import ANY, described, kinds_of, shared
from velour_plugin.filters.places import checked_geometry
from velour_plugin.filters.tree import (
    ARITHMETIC,
    ARRAYS,
    COMPARISONS,
    FLIPPED,
    SPATIAL,
    Call,
    Literal,
    Node,
    Property,
)
from velour_plugin.filters.values import calculate

__all__ = ["as_condition", "call", "checked_geometry"]
