"""Details of detection against pycocotools, and against their definitions, spelled as loops."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from tests.coco_oracle import (
    Json,
    coco_eval,
    dataset_of,
    distinct_scores,
    matched,
    of_label,
    random_boxes,
)
from velour_plugin.domain.evaluation import Metric

SEEDS = range(20)

Scene = tuple[Json, list[Json]]


def scene(seed: int, distinct: bool = True) -> Scene:
    """Random COCO data with every kind of error; more than 100 detections only where ties are."""
    rng = np.random.default_rng(seed)
    data = random_boxes(rng, (60, 99 if distinct else 300))
    return distinct_scores(rng, data) if distinct else data


def details(data: Scene, **given: Any) -> list[Metric]:
    evaluator, ledger = matched(dataset_of(*data), **given)
    found: list[Metric] = evaluator.details(ledger)
    return found


def value(metrics: list[Metric], name: str) -> Any:
    """The value of a metric about all labels."""
    return next(item.value for item in metrics if item.name == name and item.label is None)


def iou(detection: Json, truth: Json) -> float:
    crowd = [truth["iscrowd"]]
    return float(coco_masks.iou([detection["bbox"]], [truth["bbox"]], crowd)[0, 0])


def counts(truth: Json) -> bool:
    return not truth["iscrowd"] and truth["area"] <= 1e10


class Image:
    """One image's truths and detections, matched by a loop at IoU 0.5."""

    def __init__(self, data: Scene, image_id: int) -> None:
        self.truths = [t for t in data[0]["annotations"] if t["image_id"] == image_id]
        detections = [d for d in data[1] if d["image_id"] == image_id]
        self.detections = sorted(detections, key=lambda item: -item["score"])
        self.found: dict[int, Json] = {}
        self.ignored: set[int] = set()
        for place, detection in enumerate(self.detections):
            self._match(place, detection)

    def _match(self, place: int, detection: Json) -> None:
        taken = [id(truth) for truth in self.found.values() if not truth["iscrowd"]]
        near = [
            truth
            for truth in self.truths
            if truth["category_id"] == detection["category_id"]
            and iou(detection, truth) >= 0.5
            and id(truth) not in taken
        ]
        best = sorted(near, key=lambda truth: (counts(truth), iou(detection, truth)))
        if best:
            latest = [t for t in best if self._equal(t, best[-1], detection)][-1]
            self.found[place] = latest
            if not counts(latest):
                self.ignored.add(place)

    @staticmethod
    def _equal(left: Json, right: Json, detection: Json) -> bool:
        same = iou(detection, left) == iou(detection, right)
        return same and counts(left) == counts(right)

    @property
    def wrong(self) -> list[int]:
        """Places of the false positives."""
        return [place for place in range(len(self.detections)) if place not in self.found]


def images(data: Scene) -> Iterator[Image]:
    for image in data[0]["images"]:
        yield Image(data, image["id"])


@pytest.mark.parametrize("seed", SEEDS)
def test_precisions_and_scores_of_the_curves(seed: int) -> None:
    data = scene(seed, distinct=False)
    metrics = details(data)
    evaluated = coco_eval(*data)
    for place, number in enumerate(evaluated.params.catIds):
        precision = evaluated.eval["precision"][:, :, place, 0, 2]
        curve = of_label(metrics, "precision_recall_curve").get(str(number))
        if curve is None:
            assert (precision == -1).all()
            continue
        np.testing.assert_array_equal(curve["precision"], precision[0])
        scores = [0.0 if score is None else score for score in curve["threshold"]]
        np.testing.assert_array_equal(scores, evaluated.eval["scores"][0, :, place, 0, 2])
        mean = of_label(metrics, "mean_precision_recall_curve")[str(number)]
        np.testing.assert_allclose(mean["precision"], precision.mean(axis=0), rtol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_recall_of_any_label_is_cocos_without_categories(seed: int) -> None:
    data = scene(seed, distinct=False)
    metrics = details(data)
    recall = coco_eval(*data, useCats=0).eval["recall"][:, 0, 0]
    for place, most in enumerate((1, 10, 100)):
        known = recall[:, place][recall[:, place] > -1]
        expected = known.mean() if known.size else None
        assert value(metrics, f"recall_any_label_{most}") == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_kinds_of_error_and_what_they_cost(seed: int) -> None:
    """Correct the errors in the data, and let pycocotools say what is gained."""
    data = scene(seed)
    answer = value(details(data), "error_kinds")
    kinds = _kinds(data)
    now = _ap(data)
    assert answer["AP"] == now
    for name in ("classification", "localisation", "both", "duplicate", "background"):
        assert answer["kinds"][name]["count"] == sum(kind == name for _, _, kind, _ in kinds)
        assert answer["kinds"][name]["dAP"] == _gain(now, _corrected(data, kinds, name))
    missed = _missed(data, kinds)
    assert answer["kinds"]["missed"]["count"] == len(missed)
    assert answer["kinds"]["missed"]["dAP"] == _gain(now, _without(data, missed, []))
    wrong = [detection for _, detection, _, _ in kinds]
    assert answer["false_positives"]["count"] == len(wrong)
    assert answer["false_positives"]["dAP"] == _gain(now, _without(data, [], wrong))
    unfound = _missed(data, [])
    assert answer["false_negatives"]["count"] == len(unfound)
    assert answer["false_negatives"]["dAP"] == _gain(now, _without(data, unfound, []))


Kind = tuple[Image, Json, str, Json | None]


def _kinds(data: Scene) -> list[Kind]:
    """TIDE's rules (Bolya et al. 2020, section 2.2), one false positive after the other."""
    found: list[Kind] = []
    for image in images(data):
        used = [id(truth) for truth in image.found.values()]
        for place in image.wrong:
            detection = image.detections[place]
            best: dict[str, tuple[float, Json | None]] = {}
            for name in ("same", "other", "used"):
                best[name] = max(
                    (
                        (iou(detection, truth), -number, truth)
                        for number, truth in enumerate(image.truths)
                        if counts(truth)
                        and (truth["category_id"] == detection["category_id"]) != (name == "other")
                        and (name != "used" or id(truth) in used)
                    ),
                    key=lambda item: item[:2],
                    default=(0.0, 0, None),
                )[::2]
            found.append((image, detection, *_kind(best)))
    return found


def _kind(best: dict[str, tuple[float, Json | None]]) -> tuple[str, Json | None]:
    (same, truth), (other, another), (used, _) = best["same"], best["other"], best["used"]
    if 0.1 <= same <= 0.5:
        return "localisation", truth
    if other >= 0.5:
        return "classification", another
    if used >= 0.5:
        return "duplicate", None
    if max(same, other) <= 0.1:
        return "background", None
    return "both", None


def _claims(kinds: list[Kind]) -> dict[int, Json]:
    """Of each truth that nobody found, the best detection that should have."""
    claims: dict[int, Json] = {}
    for image, detection, _, truth in kinds:
        if truth is None or any(truth is other for other in image.found.values()):
            continue
        if detection["score"] > claims.get(id(truth), {"score": -1})["score"]:
            claims[id(truth)] = detection
    return claims


def _missed(data: Scene, kinds: list[Kind]) -> list[Json]:
    claimed = _claims(kinds)
    taken = [truth for image in images(data) for truth in image.found.values()]
    return [
        truth
        for truth in data[0]["annotations"]
        if counts(truth) and id(truth) not in claimed and not any(truth is t for t in taken)
    ]


def _corrected(data: Scene, kinds: list[Kind], name: str) -> float | None:
    claims = _claims(kinds)
    changed = {id(detection): truth for _, detection, kind, truth in kinds if kind == name}
    detections = []
    for detection in data[1]:
        if id(detection) not in changed:
            detections.append(detection)
            continue
        truth = changed[id(detection)]
        if truth is not None and claims.get(id(truth)) is detection:
            detections.append({**detection, **{k: truth[k] for k in ("bbox", "category_id")}})
    return _ap((data[0], detections))


def _without(data: Scene, truths: list[Json], detections: list[Json]) -> float | None:
    truth = copy.copy(data[0])
    gone = {id(item) for item in [*truths, *detections]}
    truth["annotations"] = [item for item in truth["annotations"] if id(item) not in gone]
    return _ap((truth, [item for item in data[1] if id(item) not in gone]))


def _ap(data: Scene) -> float | None:
    ap = float(coco_eval(*data).stats[1])
    return None if ap == -1 else ap


def _gain(now: float | None, then: float | None) -> Any:
    return None if now is None or then is None else pytest.approx(max(then - now, 0), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_optimal_errors_are_the_least_over_all_thresholds(seed: int) -> None:
    """LRP as Oksuz et al. 2018 define it, at every score that occurs."""
    data = scene(seed)
    metrics = details(data)
    for number in sorted({item["category_id"] for item in data[0]["annotations"]}):
        truths = [t for t in data[0]["annotations"] if t["category_id"] == number and counts(t)]
        if not truths:
            continue
        best = min(_lrp(data, number, len(truths)), key=lambda item: (item[0], -item[1]))
        names = ("oLRP", "oLRP_score", "oLRP_localisation", "oLRP_FP", "oLRP_FN")
        answer = [of_label(metrics, name)[str(number)] for name in names]
        if best[0] >= 1:
            assert answer == [1.0, None, None, None, 1.0]
        else:
            assert answer == [pytest.approx(part) for part in best]


def _lrp(data: Scene, number: int, truths: int) -> Iterator[tuple[float, ...]]:
    rows = []
    for image in images(data):
        for place, detection in enumerate(image.detections):
            if detection["category_id"] == number and place not in image.ignored:
                truth = image.found.get(place)
                distance = None if truth is None else 1 - iou(detection, truth)
                rows.append((detection["score"], distance))
    yield 1.0, 2.0, 0.0, 0.0, 1.0
    for score, _ in rows:
        used = [distance for other, distance in rows if other >= score]
        hits = [distance for distance in used if distance is not None]
        wrong, missed = len(used) - len(hits), truths - len(hits)
        error = (sum(hits) / 0.5 + wrong + missed) / (len(hits) + wrong + missed)
        mean = sum(hits) / len(hits) if hits else np.nan
        yield error, score, mean, wrong / len(used), missed / truths


@pytest.mark.parametrize("seed", SEEDS)
def test_best_f1_and_calibration(seed: int) -> None:
    data = scene(seed)
    metrics = details(data)
    rows = [
        (item["category_id"], item["score"], place in image.found)
        for image in images(data)
        for place, item in enumerate(image.detections)
        if place not in image.ignored
    ]
    real = Counter(t["category_id"] for t in data[0]["annotations"] if counts(t))
    for number, truths in real.items():
        best = (0.0, None)
        for _, score, _ in sorted(row for row in rows if row[0] == number)[::-1]:
            used = [right for label, other, right in rows if label == number and other >= score]
            f1 = 2 * sum(used) / (len(used) + truths)
            best = (f1, score) if f1 > best[0] else best
        answer = [of_label(metrics, name)[str(number)] for name in ("best_f1", "best_f1_score")]
        assert answer == [pytest.approx(best[0]), best[1]]
    assert value(metrics, "ece") == (pytest.approx(_ece(rows)) if rows else None)


def _ece(rows: list[tuple[int, float, bool]]) -> float:
    """Guo et al. 2017, equation 3, in 15 bins; a bin holds its upper edge."""
    error = 0.0
    for low in range(15):
        bin_ = [(s, right) for _, s, right in rows if low / 15 < s <= (low + 1) / 15]
        error += abs(sum(s for s, _ in bin_) - sum(right for _, right in bin_))
    return error / len(rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_confusion_matrix_is_put_together_by_falling_overlap(seed: int) -> None:
    data = scene(seed)
    matrix = value(details(data, score_threshold=0.3, examples=1000), "confusion_matrix")
    expected: Counter[tuple[str, str]] = Counter()
    for image in images(data):
        expected.update(_events([d for d in image.detections if d["score"] >= 0.3], image.truths))
    cells = {
        (row, column): count
        for row, counts_ in zip(matrix["rows"], matrix["counts"], strict=True)
        for column, count in zip(matrix["columns"], counts_, strict=True)
        if count
    }
    assert cells == expected
    for error in matrix["errors"]:
        truth, detections = error["truth"] or "background", error["predicted"] or "missed"
        assert error["count"] == len(error["examples"]) == expected[truth, detections]
    assert matrix["errors_not_listed"] == 0


def _events(detections: list[Json], truths: list[Json]) -> Iterator[tuple[str, str]]:
    pairs = [
        (-iou(d, t), d["category_id"] != t["category_id"], -d["score"], place, number)
        for place, d in enumerate(detections)
        for number, t in enumerate(truths)
        if iou(d, t) >= 0.5
    ]
    left, open_ = set(range(len(detections))), {n for n, t in enumerate(truths) if counts(t)}
    for _, _, _, place, number in sorted(pairs):
        if place in left and number in open_:
            left.discard(place)
            open_.discard(number)
            yield str(truths[number]["category_id"]), str(detections[place]["category_id"])
    for number in open_:
        yield str(truths[number]["category_id"]), "missed"
    for place in left:
        if not any(not counts(truths[n]) for _, _, _, p, n in pairs if p == place):
            yield "background", str(detections[place]["category_id"])
