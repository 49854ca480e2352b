"""What of Velour is in use in this process: the store opened last, the dataset touched last.

Those who describe a process from outside, such as MLflow's run context, read it. It imports
nothing, as it is read in every process that has a plugin of ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """What is in use.

    Args:
        store: the store's address without its password; ``None`` when none was opened.
        dataset: name and digest of a version; ``None`` when none was stored or read.
    """

    store: str | None = None
    dataset: tuple[str, str] | None = None

    @property
    def version(self) -> str | None:
        """The dataset's version as people name it, whichever store it is in: ``name@digest``."""
        return self.dataset and f"{self.dataset[0]}@{self.dataset[1][:12]}"


in_use = Usage()
"""Of this process."""
