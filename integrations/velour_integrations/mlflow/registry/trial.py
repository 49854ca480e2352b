"""The test of a lead: how small p must be at this look, and what the look spends."""

from __future__ import annotations

from dataclasses import dataclass

from velour_integrations.mlflow.registry import looks
from velour_integrations.mlflow.registry.looks import History, Lead
from velour_plugin import Comparison, Store
from velour_plugin.plugin import Spending

MOST_REPLACED = 0.05
"""Share of the datums of the last look that may have changed or gone: of data that changed more, it
is not counted what they have in common."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The test of a lead.

    Args:
        lead: which lead it is.
        challengers: how many versions had the chance to lead.
        p: two-sided p-value, adjusted for their number; with a margin twice the one-sided one.
        history: the looks at it, the last of which is this one.
        least: the smallest p that so many permutations can have; 0 without any.
    """

    lead: Lead
    challengers: int
    p: float
    history: History
    least: float = 0.0

    @property
    def level(self) -> float:
        """Up to which p is no chance; at the first look 1 less the confidence."""
        return self.history.spending.level * self.challengers

    @property
    def look(self) -> int:
        """How many looks there were, with this one."""
        return self.history.spending.count

    @property
    def is_passed(self) -> bool:
        """Whether the lead is no chance."""
        return self.p <= self.level

    @property
    def evidence(self) -> str:
        """P, how small it must be, and why that is less than at the first look."""
        earlier = f" at look {self.look}: earlier ones spent the rest" if self.look > 1 else ""
        few = "; that takes more --permutations" if self.least > self.level else ""
        return f"p is {self.p:.4f}, and {self.level:.4g} or less would do{earlier}{few}"


def hold_trial(
    lead: Lead,
    evaluations: tuple[str, str],
    comparison: Comparison,
    challengers: int,
    store: Store,
) -> Trial | None:
    """Decide how small the p-value of a lead must be at this look.

    Args:
        lead: which lead it is.
        evaluations: ids of the holder's evaluation and the challenger's.
        comparison: of these.
        challengers: how many versions had the chance to lead.
        store: where they are.

    Returns:
        ``None`` where there is no p-value.

    Raises:
        InvalidInput: what earlier looks spent cannot be read.
    """
    p = comparison[0].p if lead.min_lead is None else comparison.margins[0].p
    if p is None:
        return None
    sides = 1 if lead.min_lead is None else 2
    units = comparison.group_count or comparison[0].datums
    history = _next(looks.recall(lead), lead, evaluations, units, challengers, store)
    drawn = comparison.permutations if lead.min_lead is None else 0
    least = challengers / (drawn + 1) if drawn else 0.0
    return Trial(lead, challengers, min(1.0, sides * challengers * p), history, least)


def _next(
    earlier: History | None,
    lead: Lead,
    evaluations: tuple[str, str],
    units: int,
    challengers: int,
    store: Store,
) -> History:
    """Add this look to the earlier ones; none where they had the same evaluations."""
    if earlier is not None and earlier.evaluations == evaluations:
        return earlier
    version = store.evaluations_of(evaluations[1])[0].version.number
    spending = Spending() if earlier is None else earlier.spending
    is_grown = earlier is None or _holds(store, lead.dataset, version, earlier.version)
    error = 1 - lead.confidence
    return History(evaluations, version, spending.next(units, error, challengers, is_grown))


def _holds(store: Store, dataset: str, version: int, earlier: int) -> bool:
    """Whether a version of a dataset has nearly all datums of an earlier one."""
    if version == earlier:
        return True
    diff = store.diff(dataset, earlier, version)
    replaced = len(diff.removed) + len(diff.changed)
    return replaced <= MOST_REPLACED * (replaced + diff.unchanged)
