"""Answers: what a store returns for a query, as values that print, plot and go through JSON."""

from velour_plugin.answers.base import Answer
from velour_plugin.answers.comparison import Comparison, Difference, ErrorDifference, Errors
from velour_plugin.answers.leaderboard import Leaderboard, LeaderboardRow
from velour_plugin.answers.matrix import Cell, Matrix
from velour_plugin.answers.recommendation import Recommendation, Support
from velour_plugin.answers.slices import DatumImpact, Slice, Slices, Worst

__all__ = [
    "Answer",
    "Cell",
    "Comparison",
    "DatumImpact",
    "Difference",
    "ErrorDifference",
    "Errors",
    "Leaderboard",
    "LeaderboardRow",
    "Matrix",
    "Recommendation",
    "Slice",
    "Slices",
    "Support",
    "Worst",
]
