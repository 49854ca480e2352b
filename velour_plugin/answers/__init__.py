"""Answers to queries: values that print, plot, convert to frames and to JSON.

Each class loads when it is first used, so that a command imports only its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.answers.base import Answer as Answer
    from velour_plugin.answers.comparison import Comparison as Comparison
    from velour_plugin.answers.comparison import Difference as Difference
    from velour_plugin.answers.comparison import ErrorDifference as ErrorDifference
    from velour_plugin.answers.comparison import Errors as Errors
    from velour_plugin.answers.comparison import MarginTest as MarginTest
    from velour_plugin.answers.leaderboard import Leaderboard as Leaderboard
    from velour_plugin.answers.leaderboard import LeaderboardRow as LeaderboardRow
    from velour_plugin.answers.leaderboard import Winner as Winner
    from velour_plugin.answers.matches import Match as Match
    from velour_plugin.answers.matches import Matches as Matches
    from velour_plugin.answers.matrix import Cell as Cell
    from velour_plugin.answers.matrix import Matrix as Matrix
    from velour_plugin.answers.plan import Plan as Plan
    from velour_plugin.answers.plan import PlanRow as PlanRow
    from velour_plugin.answers.recommendation import Recommendation as Recommendation
    from velour_plugin.answers.recommendation import Support as Support
    from velour_plugin.answers.slices import DatumImpact as DatumImpact
    from velour_plugin.answers.slices import Slice as Slice
    from velour_plugin.answers.slices import Slices as Slices
    from velour_plugin.answers.slices import Worst as Worst
    from velour_plugin.answers.thresholds import OperatingPoint as OperatingPoint
    from velour_plugin.answers.thresholds import Thresholds as Thresholds

_NAMES = {
    "base": "Answer",
    "comparison": "Comparison Difference ErrorDifference Errors MarginTest",
    "leaderboard": "Leaderboard LeaderboardRow Winner",
    "matches": "Match Matches",
    "matrix": "Cell Matrix",
    "plan": "Plan PlanRow",
    "recommendation": "Recommendation Support",
    "slices": "DatumImpact Slice Slices Worst",
    "thresholds": "OperatingPoint Thresholds",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"velour_plugin.answers.{_HOME[name]}"), name)
    globals()[name] = value
    return value
