"""Earlier looks at the lead of a challenger, which tags of the registered model remember.

A promotion may be asked for every day, on data that grow. What each look spends of the probability
of error is remembered, so that the next one knows what is left: a tag for each alias, holder,
challenger and lead, until the alias moves. Without the tag a look is the first. The same
evaluations again are no new look.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import mlflow

from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import InterimLook, Spending

TAG = "velour.looks."
"""Prefix of the tags; the alias and a digest of the lead follow."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Whether a challenger leads the holder of an alias.

    Args:
        model: the registered model.
        alias: that is at stake.
        holder: number of the version that has it.
        challenger: number of the version that leads.
        metric: that ranks.
        label: the class that it is about.
        dataset: name of the dataset.
        where: the filter, as text; ``None`` for all datums.
        groups: properties whose values make groups.
        min_lead: the margin, if there is one.
        confidence: 1 less the probability of error in all looks together.
    """

    model: str
    alias: str
    holder: int
    challenger: int
    metric: str
    label: str | None
    dataset: str
    where: str | None
    groups: Sequence[str]
    min_lead: float | None
    confidence: float

    @property
    def tag(self) -> str:
        """Name of the tag."""
        content = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{TAG}{self.alias}.{sha256(content).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class History:
    """The looks at a lead, up to the last one.

    Args:
        evaluations: ids of the holder's and the challenger's evaluation at the last look.
        version: number of the dataset version at the last look.
        spending: what the looks have spent.
    """

    evaluations: tuple[str, str]
    version: int
    spending: Spending


def recall(lead: Lead) -> History | None:
    """Return the earlier looks at a lead; ``None`` where there are none.

    Raises:
        InvalidInput: the tag is not as :func:`remember` wrote it.
    """
    text = mlflow.MlflowClient().get_registered_model(lead.model).tags.get(lead.tag)
    if text is None:
        return None
    try:
        return _from_json(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"tag {lead.tag!r} of registered model {lead.model!r} holds no looks: {error}. "
            "MlflowClient().delete_registered_model_tag removes it: then the next look is the first"
        ) from error


def remember(lead: Lead, history: History) -> None:
    """Store the looks at a lead.

    Raises:
        InvalidInput: MLflow does not store it; a look that is forgotten would count as none.
    """
    content = json.dumps({"lead": asdict(lead), **_to_json(history)})
    try:
        mlflow.MlflowClient().set_registered_model_tag(lead.model, lead.tag, content)
    except mlflow.MlflowException as error:
        raise InvalidInput(
            f"registered model {lead.model!r} cannot remember this look: {error.message}. "
            "dry_run=True (--dry-run) only says what would be done."
        ) from error


def forget(model: str, alias: str) -> None:
    """Remove the looks at an alias, which has another holder now."""
    client = mlflow.MlflowClient()
    for tag in client.get_registered_model(model).tags:
        if tag.startswith(f"{TAG}{alias}."):
            client.delete_registered_model_tag(model, tag)


def _to_json(history: History) -> dict[str, Any]:
    spending = history.spending
    return {
        "evaluations": list(history.evaluations),
        "version": history.version,
        "count": spending.count,
        "level": spending.level,
        "left": spending.left,
        "looks": [[look.units, float(f"{look.level:.6g}")] for look in spending.looks],
    }


def _from_json(content: dict[str, Any]) -> History:
    looks = [InterimLook(int(units), float(level)) for units, level in content["looks"]]
    first, second = content["evaluations"]
    spending = Spending(
        int(content["count"]), float(content["level"]), float(content["left"]), looks
    )
    return History((str(first), str(second)), int(content["version"]), spending)
