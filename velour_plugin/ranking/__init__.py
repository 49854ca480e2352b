"""Which model is best for this need: rankings that refuse unfair comparisons."""

from velour_plugin.ranking.board import Board, Row
from velour_plugin.ranking.rank_runs import rank

__all__ = ["Board", "Row", "rank"]
