"""The compiled kernel: what it says of itself, countable examples, and COCO's own results."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from velour_evaluators.detection.kernels.accumulate import Average, AverageQuery
from velour_evaluators.detection.kernels.matching import LaneGrid, TruthCells
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.kernels.native.match import BoxColumns

from velour_plugin.errors import InvalidInput, MissingExtra
from velour_plugin.native import coco as native_coco
from velour_plugin.native import masks as native_masks
from velour_plugin.native.library import threads

compiled = pytest.mark.skipif(library.functions is None, reason=library.describe())
WHOLE = LaneGrid([0.5, 0.9], [(0, 1e10)])


def test_the_environment_chooses_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy on demand; a name that is none is refused; so is a kernel that is not there."""
    monkeypatch.setenv("VELOUR_ENGINE", "numpy")
    assert not library.available()
    assert library.describe().startswith("numpy")
    monkeypatch.setenv("VELOUR_ENGINE", "fast")
    with pytest.raises(InvalidInput, match="auto, native, numpy"):
        library.available()
    monkeypatch.setenv("VELOUR_ENGINE", "native")
    monkeypatch.setattr(library, "functions", None)
    monkeypatch.setattr(library, "_why_not", "no such file")
    with pytest.raises(MissingExtra, match="no such file"):
        library.available()


def test_threads_are_bounded_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole number above 0."""
    monkeypatch.setenv("VELOUR_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("VELOUR_THREADS", "0")
    with pytest.raises(InvalidInput, match="VELOUR_THREADS"):
        threads()


@compiled
def test_one_truth_is_found_once() -> None:
    """Two equal boxes, one truth: the higher score hits in both lanes, the other misses."""
    truth = sides([0], [0], [[0, 0, 10, 10]])
    detections = sides([0, 0], [0, 0], [[0, 0, 10, 10], [0, 0, 10, 10]])
    tables = match(truth, detections, [0.3, 0.8])
    assert tables["detections"]["score"].tolist() == [0.8, 0.3]
    assert tables["detections"]["rank"].tolist() == [0, 1]
    assert tables["matches"]["detection"].tolist() == [0]
    assert tables["matches"]["hit"].tolist() == [0b11]
    stored = native_averages.StoredLedger(tables, 1, 1, 1, 2)
    kinds = [Average(0, (0,)), Average(0, (0, 1), 1)]
    query = AverageQuery([1, 2], kinds, np.zeros(1, np.int32), 1, detailed=2)
    answer = native_averages.averages(stored, query)
    precision = np.full(101, 1 / (1 + np.spacing(1))).mean()
    assert answer.groups.tolist() == answer.labels.tolist() == [[[precision], [1.0]]]


@compiled
@pytest.mark.parametrize(
    ("column", "row"),
    [("datum", [9]), ("datum", [-1]), ("label", [5]), ("label", [-7])],
)
def test_an_index_out_of_bounds_is_named(column: str, row: list[int]) -> None:
    """The message says which column and row."""
    wrong = {"datum": [0], "label": [0]} | {column: row}
    detections = sides(wrong["datum"], wrong["label"], [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match=f"^{column} at row 0"):
        match(sides([], [], []), detections, [0.5])


@compiled
@pytest.mark.parametrize("score", [np.nan, np.inf, -0.1, 1.1])
def test_a_score_out_of_bounds_is_named(score: float) -> None:
    """Scores are sorted by their bits: only those in [0, 1] can be."""
    with pytest.raises(ValueError, match="score at row 0"):
        match(sides([], [], []), sides([0], [0], [[0, 0, 1, 1]]), [score])


@compiled
def test_columns_of_different_lengths_are_refused() -> None:
    """Before the kernel sees them."""
    with pytest.raises(ValueError, match="score of length 2"):
        match(sides([], [], []), sides([0], [0], [[0, 0, 1, 1]]), [0.5, 0.6])


@compiled
@pytest.mark.parametrize(("count", "kept"), [(300, 300), (70_000, 65_535)])
def test_images_with_many_detections_keep_their_ranks(count: int, kept: int) -> None:
    """More than a byte holds, and more than a ledger holds."""
    detections = sides([0] * count, [0] * count, np.tile([0.0, 0, 1, 1], (count, 1)))
    tables = match(sides([0], [0], [[0, 0, 1, 1]]), detections, np.full(count, 0.5), most=65_535)
    assert tables["detections"]["rank"].tolist() == list(range(kept))
    assert tables["matches"]["detection"].tolist() == [0]


@compiled
def test_a_hundred_thousand_labels_need_no_table_of_images_and_labels() -> None:
    """Ten thousand images times as many labels would be a billion cells."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 100_000, 1_000)
    datum = np.sort(rng.integers(0, 10_000, 1_000))
    boxes = np.tile([0.0, 0, 1, 1], (1_000, 1))
    given = sides(datum.tolist(), label.tolist(), boxes)
    tables = native_match.match_boxes(
        given,
        np.zeros(1_000, bool),
        given,
        np.full(1_000, 0.5),
        grid=WHOLE,
        most=100,
        datums=10_000,
        labels=100_000,
    )
    assert len(tables["matches"]["hit"]) == 1_000
    assert (np.diff(tables["detections"]["label"]) >= 0).all()


@compiled
def test_polygons_and_run_lengths_are_those_of_pycocotools() -> None:
    """Rasterised, decoded, measured and compared."""
    rng = np.random.default_rng(3)
    height, width = 61, 83
    rings = [rng.random((rng.integers(3, 12), 2)) * (width, height) for _ in range(200)]
    rles = [coco_mask.frPyObjects([ring.ravel().tolist()], height, width)[0] for ring in rings]
    sizes = np.tile([height, width], (len(rings), 1))
    ones = np.arange(len(rings) + 1)
    starts = np.cumsum([0, *map(len, rings)])
    drawn = native_masks.rasterise(np.concatenate(rings), starts, ones, ones, sizes)
    decoded = native_masks.decode(native_masks.texts_of([rle["counts"] for rle in rles], sizes))
    assert np.array_equal(drawn.edges, decoded.edges)
    assert np.array_equal(drawn.stop, decoded.stop)

    areas, boxes = native_masks.measure(drawn)
    assert np.array_equal(areas, coco_mask.area(rles))
    assert np.array_equal(boxes[areas > 0], coco_mask.toBbox(rles)[areas > 0])
    crowd = rng.random(len(rings)) < 0.2
    every, none = np.arange(len(rings)), np.zeros(len(rings), np.intp)
    all_meet_all = TruthCells(every, none, none + len(rings), none)
    detection, truth, iou = native_pairs.overlapping_pairs(
        all_meet_all, every, (drawn, drawn), crowd, 1e-9
    )
    theirs = coco_mask.iou(rles, rles, crowd.astype(int).tolist())
    assert np.array_equal(iou, theirs[detection, truth])
    assert len(iou) == np.count_nonzero(theirs)


@compiled
@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        (b"", 0, "a list"),
        (b"[", 1, "an object"),
        (b"[{}]", 3, "image_id"),
        (b'[{"image_id":1,"category_id":1}]', 31, "score"),
        (b'[{"image_id":1,"category_id":1,"score":01}]', 39, "a number"),
        (b'[{"image_id":1,"category_id":1,"score":1.}]', 41, "a digit"),
        (b'[{"image_id":1,"category_id":1,"score":1e999}]', 39, "finite"),
        (b'[{"image_id":1,"category_id":1,"score":true}]', 39, "a number"),
        (b'[{"image_id":1,"bbox":[1,2,3]}]', 28, "four numbers"),
        (b'[{"a":"\\x"}]', 8, "an escape"),
        (b'[{"a":"\n"}]', 7, "the end of a string"),
        (b'[{"image_id":1,"category_id":1,"score":1}] x', 43, "the end of the file"),
        (b'[{"a":tru}]', 6, "a JSON value"),
    ],
)
def test_malformed_files_are_refused_with_the_place(text: bytes, offset: int, message: str) -> None:
    """In bytes from the beginning, with what should stand there."""
    with pytest.raises(native_coco.MalformedCoco, match=message) as refused:
        native_coco.read_results(text)
    assert refused.value.offset == offset


@compiled
@pytest.mark.parametrize(
    "text",
    [
        b'[{"image_id":"a"}]',
        b'[{"image_id":1.0}]',
        b'[{"image_id":9223372036854775808}]',
        b'[{"\\u0069mage_id":1}]',
        b'[{"a":NaN}]',
        b"[" + b'{"a":' + b"[" * 600,
        b"\xef\xbb\xbf[]",
    ],
)
def test_what_only_python_reads_is_left_to_python(text: bytes) -> None:
    """No error: a way out."""
    with pytest.raises(native_coco.UseJson):
        native_coco.read_results(text)


@compiled
def test_a_fork_after_threads_still_works() -> None:
    """Threads live for one call, so nothing is left behind that a child would wait for."""
    program = (
        "import os, numpy as np\n"
        "from tests.reference.test_native_kernel import match, sides\n"
        "n = 50_000\n"
        "detections = sides(np.arange(n) % 100, np.zeros(n), np.ones((n, 4)))\n"
        "truth = sides([0], [0], [[0, 0, 1, 1]])\n"
        "run = lambda: match(truth, detections, np.full(n, 0.5), datums=100)\n"
        "run()\n"
        "child = os.fork()\n"
        "run()\n"
        "os._exit(0) if not child else None\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=_environment())


def _environment() -> dict[str, str]:
    import os

    import velour_evaluators

    here = [os.path.dirname(os.path.dirname(velour_evaluators.__file__))]
    project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ | {"PYTHONPATH": os.pathsep.join([project, *here]), "VELOUR_THREADS": "2"}


def sides(datum: Any, label: Any, box: Any) -> BoxColumns:
    """Columns of one side; areas follow from the boxes."""
    boxes = np.asarray(box, np.float64).reshape(-1, 4)
    return BoxColumns(
        np.asarray(datum, np.int32), np.asarray(label, np.int32), boxes, np.full(len(boxes), np.nan)
    )


def match(
    truth: BoxColumns,
    detections: BoxColumns,
    score: Any,
    most: int = 100,
    datums: int = 1,
) -> dict[str, dict[str, NDArray[Any]]]:
    """One label, no crowds, two thresholds."""
    return native_match.match_boxes(
        truth,
        np.zeros(len(truth.datum), bool),
        detections,
        np.asarray(score, np.float64),
        grid=WHOLE,
        most=most,
        datums=datums,
        labels=1,
    )
