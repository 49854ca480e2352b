"""Tags every MLflow run with the store and dataset version that were in use.

``import mlflow`` loads this module in every process, so it imports nothing of its own. It has
something to say only where Velour is in use: a store is named by VELOUR_STORE_URI, or was opened.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from mlflow.tracking.context.abstract_context import RunContextProvider

STORE, DATASET = "velour.store", "velour.dataset_version"
"""Tags of a run."""

_ENVIRONMENT = "VELOUR_STORE_URI"


class VelourRunContext(RunContextProvider):
    """Tags runs with the store and the dataset version in use when they start."""

    def in_context(self) -> bool:
        """Whether Velour is in use in this process."""
        return bool(self.tags())

    def tags(self) -> dict[str, str]:
        """Return tags: the store, its password hidden, and the version stored or read last."""
        usage = _usage()
        store = usage.store if usage and usage.store else os.environ.get(_ENVIRONMENT)
        tags = {} if not store else {STORE: _masked(store)}
        if usage and usage.dataset:
            tags[DATASET] = usage.version
        return tags


def _usage() -> Any:
    """What the core knows is in use; nothing when it was never imported."""
    return getattr(sys.modules.get("velour_plugin.helpers.usage"), "in_use", None)


def _masked(url: str) -> str:
    from velour_plugin.plugin import masked_url

    return masked_url(url)
