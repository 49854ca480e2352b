"""A ranking of the versions of one model, and whether the best of them should get an alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from velour_integrations.mlflow.registry.trial import Trial
from velour_integrations.mlflow.registry.versions import ModelVersion
from velour_plugin import Leaderboard
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import LeaderboardRow


@dataclass(frozen=True)
class Contest:
    """A leaderboard of model versions, and the current holder of an alias.

    Args:
        board: of one row or more, the first with a value.
        versions: of the rows, in their order.
        holder: the version that has the alias; it need not be on the board.
    """

    board: Leaderboard
    versions: Sequence[ModelVersion]
    holder: ModelVersion | None

    @classmethod
    def of(
        cls,
        board: Leaderboard,
        candidates: Mapping[str, ModelVersion],
        holder: ModelVersion | None,
        notes: Sequence[str],
    ) -> Contest:
        """Make a contest of a board whose rows are named by their versions."""
        ordered = [candidates[str(row.run_id)] for row in board]
        if board[0].value is None:
            model = ordered[0].model
            reason = board[0].reason or " ".join(board.notes)
            raise InvalidInput(f"no version of {model!r} has a value of {board.metric}: {reason}")
        called = [
            replace(row, model=" ".join([version.name, *map("@{}".format, version.aliases)]))
            for row, version in zip(board, ordered, strict=True)
        ]
        return cls(replace(board, rows=called, notes=(*board.notes, *notes)), ordered, holder)

    @property
    def winner(self) -> ModelVersion:
        """The version that comes first."""
        return self.versions[0]

    @property
    def held(self) -> LeaderboardRow | None:
        """The row of the version that has the alias; ``None`` where it is not on the board."""
        rows = zip(self.board, self.versions, strict=True)
        return next((row for row, version in rows if version == self.holder), None)

    @property
    def challengers(self) -> int:
        """How many versions beside the holder's have a value: each had the chance to lead."""
        return sum(row.value is not None for row in self.board) - 1

    @property
    def is_open(self) -> bool:
        """Whether a version leads the one that has the alias, on the board."""
        return self.held is not None and self.held.value is not None and self.winner != self.holder

    def doubt(self, trial: Trial | None) -> str | None:
        """Say why the alias should stay where it is; ``None`` when nothing is against moving."""
        holder, held, board = self.holder, self.held, self.board
        if holder is None:
            return None
        if self.winner == holder:
            return f"{holder.name} comes first"
        if held is None:
            again = f"velour evaluate models:/{holder.name} --dataset {board.dataset}"
            return f"{holder.name} was not evaluated on these data ({again})"
        if held.value is None:
            return f"{board.metric} of {holder.name} is undefined ({held.reason})"
        if trial is not None and trial.is_passed:
            return None
        lead = f"the lead of {self.winner.name} by {self.lead:.4f}"
        margin = None if trial is None else trial.lead.min_lead
        doubt = "may be chance" if margin is None else f"is not shown to be more than {margin:g}"
        return f"{lead} {doubt}" + ("" if trial is None else f": {trial.evidence}")

    @property
    def lead(self) -> float:
        """How far the winner is ahead of the version that has the alias."""
        assert self.held is not None
        return abs((self.board[0].value or 0.0) - (self.held.value or 0.0))

    def sentence(
        self, alias: str, trial: Trial | None, doubt: str | None, moves: bool, dry_run: bool
    ) -> str:
        """Say what becomes of the alias, and why."""
        if self.holder is None:
            gets = "would be given" if dry_run else "is given"
            return f"{alias} {gets} to {self.winner.name}, which comes first; none had it before."
        if not moves:
            way_out = "" if self.winner == self.holder else " --force moves it all the same."
            return f"{alias} stays with {self.holder.name}: {doubt}.{way_out}"
        p_text = "" if trial is None else f", p {trial.p:.4f}"
        why = f" by force: {doubt}" if doubt else f": it leads by {self.lead:.4f}{p_text}"
        moved = "would move" if dry_run else "moves"
        return f"{alias} {moved} from {self.holder.name} to {self.winner.name}{why}."
