"""What the compiled modules refuse in words, before it takes all memory; and what they copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_evaluators.kernels.native import library as evaluators

from velour_plugin.native.library import library as core

pytestmark = pytest.mark.skipif(core.functions is None, reason="no compiled kernel")

MOST = 2**31 - 1
MANY = 2**24 + 10
WHOLE, LONG, BYTES, WORDS, REAL = (np.empty(0, kind) for kind in ("i4", "i8", "u1", "u8", "f8"))


class Runs:
    """One run: the whole image is of label 0."""

    starts = labels = np.array([0])


class Table:
    """Of a ledger, without rows."""

    label = datum = detection = WHOLE
    score, rank, areas, hit, ignored = REAL, np.empty(0, np.uint16), BYTES, WORDS, WORDS


COUNTS: dict[str, Any] = {
    "labels": 3, "datums": 3, "label": WHOLE, "datum": WHOLE, "score": REAL, "areas": BYTES,
    "match": WHOLE, "hit": WORDS, "ignored": WORDS, "weights": None, "lane": 0, "least": 0.5,
}  # fmt: skip
SCORES: dict[str, Any] = {
    "rows": 0, "labels": 3, "score": REAL, "row": None, "label": None, "threads": 1,
    "datum": WHOLE, "truth_row": WHOLE, "truth_label": WHOLE,
}  # fmt: skip
PIXELS: dict[str, Any] = {
    "truth": np.zeros((4, 1), np.uint8), "predicted": np.zeros((4, 1), np.uint8),
    "truth_lowest": 0, "predicted_lowest": 0, "truths": 3, "predictions": 3,
}  # fmt: skip
BOUNDARIES: dict[str, Any] = {
    "truth": Runs, "predicted": Runs, "height": 3, "width": 3, "labels": 1, "reach": 1,
}  # fmt: skip
BOXES: dict[str, Any] = {
    "datums": 3, "labels": 3, "most": 100, "truth_datum": WHOLE, "truth_label": WHOLE,
    "truth_box": np.empty((0, 4)), "truth_area": REAL, "crowd": BYTES, "datum": WHOLE,
    "label": WHOLE, "box": np.empty((0, 4)), "score": REAL, "area": REAL, "truth_masks": None,
    "masks": None, "texts": None, "range": np.array([[0.0, 1]]), "threshold": np.array([0.5]),
    "threads": 1,
}  # fmt: skip
AVERAGES: dict[str, Any] = {
    "labels": 1, "datums": 1, "areas": 1, "thresholds": 1, "detections": Table, "matches": Table,
    "truths": Table, "recall": np.array([0.0, 1]), "limit": np.array([1]), "area": np.array([0]),
    "levels": np.array([1], np.uint64), "limit_of": np.array([-1]), "detailed": 1, "groups": 1,
    "group": np.zeros(1, np.int32), "threads": 1, "weights": np.ones((1, 1), np.int64),
}  # fmt: skip

SIZES = [
    ("counts_at", COUNTS, {"labels": MANY}, "labels 16777226"),
    ("rank_scores", SCORES, {"labels": MOST}, "labels 2147483647: expected at most 16777216 with"),
    ("confusion_of_labels", PIXELS, {"truths": 65_536, "predictions": 65_536}, "4294967296"),
    ("confusion_of_runs", {"truth": Runs, "predicted": Runs, "size": 9}, {"owners": MOST},
     "owners times owners 4611686014132420609: expected at most 1048576"),
    ("boundary_counts", BOUNDARIES, {"labels": MOST - 2}, "labels 2147483645"),
    ("boundary_counts", BOUNDARIES, {"height": 2**31, "width": 2**31}, "pixels of an image"),
    ("boundary_counts", BOUNDARIES, {"height": 1, "width": 2**31}, "pixels of an image"),
    ("match_boxes", BOXES, {"datums": MOST}, "datums 2147483647"),
    ("match_boxes", BOXES, {"labels": MOST}, "labels 2147483647"),
    ("averages", AVERAGES, {"groups": MOST}, "groups 2147483647"),
    ("averages", AVERAGES, {"detailed": MOST}, "size"),
    ("averages", AVERAGES, {"datums": 0, "weights": np.empty((MOST, 0), np.int64)}, "replicates"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sound", "wrong", "words"), SIZES)
def test_sizes_that_nothing_accounts_for_are_refused(
    name: str, sound: dict[str, Any], wrong: dict[str, Any], words: str
) -> None:
    """Each would ask for gigabytes, or overflow; the sound call is answered."""
    function = getattr(evaluators.functions, name)
    function(**sound, **({"owners": 3} if "owners" in wrong else {}))
    with pytest.raises(ValueError, match=words):
        function(**sound | wrong)


def test_as_many_labels_as_anybody_has_are_counted() -> None:
    """A size may be far beyond the rows, as labels without detections are."""
    found = evaluators.functions.counts_at(**COUNTS | {"labels": 100_000})
    assert found["found"].shape == (100_000,)


def test_shared_arrays_that_stand_askew_are_copied() -> None:
    """Numpy takes numbers at any address; what C reads in place stands where its type may."""
    memory = np.zeros(8 * 40 + 1, np.uint8)
    askew = memory[1:].view(np.float64)
    askew[:] = 0.75
    assert not askew.flags.aligned
    rows = np.zeros(40, np.int32)
    ledger = {"label": rows, "datum": rows, "score": askew, "areas": np.ones(40, np.uint8)}
    found = evaluators.functions.counts_at(**COUNTS | ledger)
    assert found["counted"].tolist() == [40, 0, 0]


@pytest.mark.parametrize("name", [b"threads", 7, None, ("threads",)])
def test_names_that_are_no_text_are_refused(name: Any) -> None:
    """Python hands them over as they are: they crashed the process."""
    with pytest.raises(TypeError, match="names that are text"):
        evaluators.functions.counts_at(**COUNTS, **{name: 1})


@pytest.mark.parametrize("made", [np.zeros(2), np.zeros(3), np.zeros((3, 1), np.int64)])
def test_room_that_is_not_what_was_asked_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, made: Any
) -> None:
    """Somebody has put another function in place of numpy's."""
    monkeypatch.setattr(np, "empty", lambda *_: made)
    with pytest.raises(SystemError, match=r"found: expected .* numpy.empty"):
        evaluators.functions.counts_at(**COUNTS | dict.fromkeys(("labels", "datums"), 4))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_of_several_wrong_rows_is_told(threads: int) -> None:
    """However many threads find one: masks of one pixel each, two of them beyond their size."""
    count = 2000
    edges = np.zeros(count, np.int64)
    edges[[700, 1900]] = 99
    first = np.arange(count)
    size = np.ones(count, np.int64)

    class Masks:
        start, stop, height, width = first, first + 1, size, size

    Masks.edges = edges  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="edges of mask at row 700 "):
        core.functions.measure_rasters(masks=Masks, threads=threads)
