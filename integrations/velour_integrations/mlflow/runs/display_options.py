"""Keys of ``evaluator_config`` that choose what a run shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velour_plugin import Dataset
from velour_plugin.plugin import Cut, masks

CLASSES = 50

KEYS = {
    "slices": "what to slice by, such as time_of_day or captured_at:hour, [] for nothing; "
    "properties of few values when left out",
    "classes": f"for how many labels numbers are logged, those most datums show; {CLASSES} when "
    "left out",
    "images": "the folder of the images, to draw the worst; when left out they are sought in the "
    "working directory and near the files that the dataset was read from",
    "intervals": "False leaves out confidence intervals, in report, note and metrics such as "
    "mAP_low and mAP_high",
    "report": "False leaves out report, tables, curves, images, note and saved view",
}
"""Keys of ``evaluator_config``, and what each means."""

RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "slices": (
        "a property, a list of such, or {name: {slice: filter}}",
        lambda value: isinstance(value, (str, Mapping, list, tuple)),
    ),
    "classes": (
        "a whole number of at least 0",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    ),
    "images": (
        "a folder that exists",
        lambda value: isinstance(value, (str, Path)) and Path(value).is_dir(),
    ),
    "intervals": ("True or False", lambda value: isinstance(value, bool)),
    "report": ("True or False", lambda value: isinstance(value, bool)),
}
"""What each value has to be, in words and as a test."""


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What an MLflow run gets beside the headline metrics.

    Args:
        slices: how to cut the data; ``None`` for what is usual.
        classes: for how many labels numbers are logged.
        images: the folder of the images.
        report: whether anything but numbers is shown.
        intervals: whether confidence intervals are computed.
        prefix: of the names of metrics.
    """

    slices: Sequence[Cut] | None = None
    classes: int = CLASSES
    images: Path | None = None
    report: bool = True
    prefix: str = ""
    intervals: bool = True

    @classmethod
    def of(cls, config: Mapping[str, Any], dataset: Dataset) -> DisplayOptions:
        """Read options from a checked configuration, before anything is evaluated.

        Raises:
            UnknownName: no datum has a property that ``slices`` names.
            InvalidInput: it cannot be cut that way.
        """
        slices, images = config.get("slices"), config.get("images")
        cuts = [slices] if isinstance(slices, (str, Mapping)) else slices
        for cut in cuts or ():
            masks(dataset.datums, cut, dataset.name, dataset.truth)
        return cls(
            None if cuts is None else tuple(cuts),
            config.get("classes", CLASSES),
            None if images is None else Path(images),
            config.get("report", True),
            config.get("metric_prefix", ""),
            config.get("intervals", True),
        )
