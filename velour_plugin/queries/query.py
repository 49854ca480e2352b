"""Queries: the parameters of one question, as values that are checked, compared and stored.

A query is frozen and refuses nonsense when it is made. ``to_dict`` spells it in JSON and
``Query.from_dict`` undoes that; its digest is the same for all spellings of one question. Functions
such as :func:`velour_plugin.rank`, commands and pages each make one and hand it to ``Store.ask``.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_type_hints

from velour_plugin import answers
from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.domain.labels import Label
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.helpers.representation import short_repr
from velour_plugin.queries.fields import (
    Confidence,
    Count,
    Cuts,
    Draws,
    Experiments,
    Filter,
    Flag,
    Groups,
    Margin,
    Mismatch,
    Name,
    Names,
    OptionalCount,
    OptionalLabel,
    OptionalName,
    OptionalNames,
    OptionalShare,
    OptionalSize,
    Parameters,
    PositiveCount,
    PositiveDraws,
    Runs,
)

if TYPE_CHECKING:
    from velour_plugin.filters.language.tree import Property

Answer = TypeVar("Answer")


MOST_ROWS_KEPT = 1_000
"""Longer lists are read again."""
LEAST_RESAMPLES = 20
"""From which a standard error is read: one of fewer is off by a third, one time in twenty."""
WIDTH = 0.05
"""Of an interval that is planned for, where neither a width nor a difference is named."""


class AnswerType:
    """A descriptor: the class of :mod:`velour_plugin.answers` of some name, imported when read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, query: object, owner: object = None) -> type[Any]:
        answer_type: type[Any] = getattr(answers, self.name)
        return answer_type


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Query(ABC, Generic[Answer]):
    """A question to a store, as a value; ``answer_type`` is the class of its answer.

    Raises:
        InvalidInput: a value breaks its rule.
        UnknownName: a value is none of those that exist.
        BadFilter: the filter has no meaning.
    """

    kind: ClassVar[str]
    answer_type: ClassVar[AnswerType]
    run_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that name one run, as a URI of a tracker may do too."""

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)).items():
            object.__setattr__(self, name, check(name, getattr(self, name)))

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; :meth:`from_dict` undoes this exactly."""
        own = {item.name: _to_json(getattr(self, item.name)) for item in fields(self)}
        return {"query": self.kind, **own}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Query[Any]:
        """Make the query from the output of :meth:`to_dict`.

        Raises:
            UnknownName: there is no such kind of query, or it has no such key.
            InvalidInput: a key is missing, or a value breaks its rule.
        """
        if not isinstance(content, Mapping):
            raise InvalidInput(f"query {content!r}: expected a JSON object with the key 'query'.")
        kinds = {kind.kind: kind for kind in Query.__subclasses__()}
        kind = kinds.get(str(content.get("query")))
        if kind is None:
            raise UnknownName("query", content.get("query"), kinds)
        own = {key: value for key, value in content.items() if key != "query"}
        known = {item.name: item.default is MISSING for item in fields(kind)}
        for key in own:
            if key not in known:
                raise UnknownName(f"key of a {kind.kind} query", key, known)
        for name, is_needed in known.items():
            if is_needed and name not in own:
                raise InvalidInput(f"the {kind.kind} query lacks {name!r}: {dict(content)!r}.")
        return kind(**own)

    @property
    def digest(self) -> str:
        """Digest of all fields: equal for queries with the same meaning."""
        return digest("query", canonical_json(self.to_dict()))

    @property
    def cacheable(self) -> bool:
        """Whether the answer depends on the store alone, and not on what a tracker knows."""
        return not any(is_uri(getattr(self, name) or "") for name in self.run_fields)

    @property
    def properties(self) -> tuple[Property, ...]:
        """Properties in filters, on which the answer depends."""
        values = [getattr(self, item.name) for item in fields(self)]
        return tuple(prop for value in values for prop in _properties(value))

    @property
    def read_datasets(self) -> tuple[str, ...] | None:
        """Datasets that the answer depends on; ``None`` for all in the store."""
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return short_repr(self, _text)


@cache
def _checks(kind: type[Query[Any]]) -> dict[str, Callable[[str, Any], Any]]:
    """The check of each field, from its annotation."""
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: hints[item.name].__metadata__[0] for item in fields(kind)}


def _to_json(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    from velour_plugin.filters.language.tree import to_json  # whose loading only a filter is worth

    return to_json(value)


def _text(value: Any) -> str:
    """The value of a field in Python; a filter as CQL2 text."""
    if isinstance(value, (*_PLAIN, tuple, list, Mapping)):
        return repr(value)
    from velour_plugin.filters.language.cql2_text import to_text

    return repr(to_text(value))


def _properties(value: Any) -> Iterator[Property]:
    """Properties that the filters in a field of a query name."""
    if isinstance(value, (tuple, list, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _properties(item)
    elif not isinstance(value, _PLAIN):
        from velour_plugin.filters.language.tree import properties

        yield from properties(value)


_PLAIN = (str, int, float, type(None))
"""What JSON has itself; other values in a query's fields are lists, mappings and filters."""


def is_uri(name: str) -> bool:
    """Whether only a tracker knows what a name stands for, as ``models:/fires@champion``."""
    return ":/" in name


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RankQuery(Query["answers.Leaderboard"]):
    """Asks which run is best by a metric; fields as the arguments of :func:`velour_plugin.rank`."""

    kind = "rank"
    answer_type = AnswerType("Leaderboard")

    metric: OptionalName = None
    datasets: OptionalNames = None
    where: Filter = None
    label: OptionalLabel = None
    runs: Runs = None
    experiments: Experiments = None
    parameters: Parameters = None
    columns: Names = ()
    having: Filter = None
    all_runs: Flag = False
    on_mismatch: Mismatch = "refuse"
    groups: Groups = None
    confidence: Confidence = 0.95
    resamples: Draws = 1000
    seed: Count = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.all_runs and self.datasets is not None and len(self.datasets) > 1:
            raise InvalidInput(
                "all_runs (--all-runs) True: over several datasets a row is a model, by its newest "
                "run on each; rank one dataset to see all runs."
            )

    @property
    def further_columns(self) -> tuple[str, ...]:
        """Names of the columns, and of those in ``having``, each once; the metric may be one."""
        limited = [prop.name for prop in _properties(self.having)]
        return tuple(dict.fromkeys((*self.columns, *limited)))

    @property
    def cacheable(self) -> bool:
        """Whether runs are named, not looked up in a tracker."""
        return not isinstance(self.runs, str)

    @property
    def properties(self) -> tuple[Property, ...]:
        """Properties in filters and columns, on which the answer depends."""
        if not self.columns:
            return super().properties
        from velour_plugin.filters.language.tree import Property

        return (*super().properties, *map(Property, self.columns))

    @property
    def read_datasets(self) -> tuple[str, ...] | None:
        """The datasets that are ranked on; ``None`` where the store's only one need no name."""
        return None if self.datasets is None else tuple(self.datasets)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MatrixQuery(Query["answers.Matrix"]):
    """Asks how models do on datasets; fields as the arguments of :func:`velour_plugin.matrix`."""

    kind = "matrix"
    answer_type = AnswerType("Matrix")

    metric: OptionalName = None
    where: Filter = None
    label: OptionalLabel = None
    datasets: OptionalNames = None
    models: OptionalNames = None
    by: Cuts = ()
    all_runs: Flag = False
    on_mismatch: Mismatch = "refuse"
    groups: Groups = None
    confidence: Confidence = 0.95
    resamples: Draws = 1000
    seed: Count = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SliceQuery(Query["answers.Slices"]):
    """Asks how a run does on slices of its data; fields as for :func:`velour_plugin.slices`."""

    kind = "slices"
    answer_type = AnswerType("Slices")
    run_fields = ("run",)

    run: Name
    by: Cuts
    metric: OptionalName = None
    where: Filter = None
    label: OptionalLabel = None
    dataset: OptionalName = None
    groups: Groups = None
    confidence: Confidence = 0.95
    resamples: Draws = 1000
    seed: Count = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CompareQuery(Query["answers.Comparison"]):
    """Asks how two runs differ; fields as the arguments of :func:`velour_plugin.compare`."""

    kind = "compare"
    answer_type = AnswerType("Comparison")
    run_fields = ("baseline", "candidate")

    baseline: Name
    candidate: Name
    metric: OptionalName = None
    where: Filter = None
    label: OptionalLabel = None
    by: Cuts = ()
    dataset: OptionalName = None
    groups: Groups = None
    no_worse: Margin = None
    min_lead: Margin = None
    confidence: Confidence = 0.95
    permutations: Draws = 1000
    seed: Count = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WorstQuery(Query["answers.Worst"]):
    """Asks which datums cost a run most; fields as the arguments of :func:`velour_plugin.worst`."""

    kind = "worst"
    answer_type = AnswerType("Worst")
    run_fields = ("run",)

    run: Name
    metric: OptionalName = None
    where: Filter = None
    label: OptionalLabel = None
    n: PositiveCount = 10
    dataset: OptionalName = None
    groups: Groups = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MatchesQuery(Query["answers.Matches"]):
    """Asks how predictions and truths match; fields as for :func:`velour_plugin.matches`."""

    kind = "matches"
    answer_type = AnswerType("Matches")
    run_fields = ("run",)

    run: Name
    outcome: OptionalName = None
    label: OptionalLabel = None
    where: Filter = None
    n: OptionalCount = 20
    dataset: OptionalName = None
    parameters: Parameters = None

    @property
    def cacheable(self) -> bool:
        """Whether the rows are few enough to be kept."""
        return super().cacheable and self.n is not None and self.n <= MOST_ROWS_KEPT


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ThresholdQuery(Query["answers.Thresholds"]):
    """Asks where to set the scores' thresholds; fields as for :func:`velour_plugin.threshold`."""

    kind = "threshold"
    answer_type = AnswerType("Thresholds")
    run_fields = ("run",)

    run: Name
    precision: OptionalShare = None
    recall: OptionalShare = None
    f1: Flag = False
    where: Filter = None
    label: OptionalLabel = None
    dataset: OptionalName = None
    parameters: Parameters = None
    groups: Groups = None
    confidence: Confidence = 0.95
    seed: Count = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.precision is not None) + (self.recall is not None) + self.f1 != 1:
            raise InvalidInput(
                f"precision {self.precision}, recall {self.recall}, f1 {self.f1}: a threshold is "
                "chosen for one of them, such as precision=0.9 (--precision 0.9)."
            )

    @property
    def goal(self) -> tuple[str, float | None]:
        """The metric that decides, and the value to reach; ``None`` for the best of F1."""
        if self.f1:
            return "f1", None
        return ("precision", self.precision) if self.recall is None else ("recall", self.recall)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RecommendQuery(Query["answers.Recommendation"]):
    """Asks which model to take for a need; fields as for :func:`velour_plugin.recommend`."""

    kind = "recommend"
    answer_type = AnswerType("Recommendation")

    metric: OptionalName = None
    where: Filter = None
    datasets: OptionalNames = None
    all_runs: Flag = False
    groups: Groups = None
    confidence: Confidence = 0.95
    resamples: PositiveDraws = 1000
    seed: Count = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlanQuery(Query["answers.Plan"]):
    """Asks how many datums to collect; fields as the arguments of :func:`velour_plugin.plan`."""

    kind = "plan"
    answer_type = AnswerType("Plan")
    run_fields = ("run", "against")

    run: Name
    against: OptionalName = None
    width: OptionalSize = None
    detect: OptionalSize = None
    metric: OptionalName = None
    where: Filter = None
    label: OptionalLabel = None
    by: Cuts = ()
    dataset: OptionalName = None
    groups: Groups = None
    confidence: Confidence = 0.95
    power: Confidence = 0.8
    resamples: PositiveDraws = 1000
    seed: Count = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width is not None and self.detect is not None:
            raise InvalidInput(
                f"width (--width) {self.width:g} and detect (--detect) {self.detect:g}: a plan is "
                "for one of them; leave the other out."
            )
        if self.width is None and self.detect is None:
            object.__setattr__(self, "width", WIDTH)
        if self.resamples < LEAST_RESAMPLES:
            raise InvalidInput(
                f"resamples (--resamples) {self.resamples}: too few to tell a standard error; "
                f"expected at least {LEAST_RESAMPLES}, such as 1000."
            )
        if self.detect is not None and self.power <= 1 - self.confidence:
            raise InvalidInput(
                f"power (--power) {self.power:g}: a test at confidence {self.confidence:g} finds "
                f"a difference where there is none as often; expected more than "
                f"{1 - self.confidence:.4g}, such as 0.8."
            )


def label_of(
    query: RankQuery
    | MatrixQuery
    | SliceQuery
    | CompareQuery
    | WorstQuery
    | MatchesQuery
    | PlanQuery
    | ThresholdQuery,
) -> Label | None:
    """Return the class that a query is about; ``None`` for all."""
    return None if query.label is None else Label(*query.label)


def metric_of(query: RankQuery | MatrixQuery) -> str:
    """Return the metric of a query, which it names or was given."""
    assert query.metric is not None
    return query.metric
