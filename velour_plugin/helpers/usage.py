"""The store and dataset version that this process used last.

MLflow's run context, for example, reads them. This module imports
nothing, as it is read in every process that has a plugin of ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """The store and the dataset version used last.

    Args:
        store: the store's address without its password; ``None`` when none was opened.
        dataset: name and digest of the version; ``None`` when none was stored or read.
    """

    store: str | None = None
    dataset: tuple[str, str] | None = None

    @property
    def version(self) -> str | None:
        """The dataset version as ``name@digest``, the same in every store."""
        return self.dataset and f"{self.dataset[0]}@{self.dataset[1][:12]}"


in_use = Usage()
"""Of this process."""
