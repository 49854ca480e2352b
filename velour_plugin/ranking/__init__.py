"""Which model is best for this need: rankings that refuse unfair comparisons."""

from velour_plugin.ranking.board import Board, Row
from velour_plugin.ranking.comparison import Comparison, compare
from velour_plugin.ranking.rank_runs import rank
from velour_plugin.ranking.recommendation import Recommendation, recommend
from velour_plugin.ranking.slice_runs import Slices, Worst, slices, worst

__all__ = [
    "Board",
    "Comparison",
    "Recommendation",
    "Row",
    "Slices",
    "Worst",
    "compare",
    "rank",
    "recommend",
    "slices",
    "worst",
]
