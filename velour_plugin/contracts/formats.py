"""The contract of file formats."""

from __future__ import annotations

import os
from typing import Protocol, Union

from velour_plugin.domain.datasets import Dataset

Path = Union[str, "os.PathLike[str]"]


class Format(Protocol):
    """A file format of annotations, such as COCO.

    A format whose files hold numbers of classes takes their names: its ``read`` has one argument
    more, ``labels=None``. A format for another task than object-detection names it as its
    ``usual_task``.
    """

    name: str

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read ground truth; the dataset can then read predictions in this format.

        Args:
            path: the file or folder.
            name: of the dataset; ``None`` for the name of the file.
            metadata: a CSV or JSON file with one record a datum.
        """
