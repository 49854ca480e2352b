"""COCO files through the compiled reader are what the JSON reader makes of them, or refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from velour_integrations.formats.coco import coco_content

import velour_plugin as velour
from velour_plugin.errors import VelourError
from velour_plugin.native.library import library

pytestmark = [
    pytest.mark.skipif(not library.available(), reason=library.describe()),
    pytest.mark.filterwarnings("ignore::velour_plugin.ReadingWarning"),
]

HEIGHT, WIDTH = 12, 9
STRANGE = [
    None, True, False, -1, 0, 3, 1.0, 1.5, -0.0, 1e400, 2**70, -5, "1", "x", "", [], {}, [1, 2],
    [1, 2, 3, 4], [1, 2, -3, 4], [1, 2, "3", 4], float("nan"), [[1, 2, 3]], [[0, 0, 4, 0, 4]],
    [[0, 0, 4, 0, 4, 4], []], {"size": [12, 9]}, {"counts": [1]}, [[float("inf")] * 6],
    {"size": [12, 9], "counts": [3, 4]}, {"size": [12, 9], "counts": "zz"}, "é𝄞\\\"\n",
    {"size": [12.0, 9], "counts": [108]}, {"size": [0, 9], "counts": []}, 1.0000001, "no", "0",
    [0, 0, 4, 0, 4, 4], [[0, 0], [4, 0], [4, 4]], [[]], ["1", "2", "3", "4"], "1234", 2,
]  # fmt: skip
KEYS = ["id", "image_id", "category_id", "bbox", "area", "iscrowd", "score", "segmentation",
        "name", "file_name", "height", "width", "images", "annotations", "categories"]  # fmt: skip


@pytest.mark.parametrize("seed", range(300))
def test_both_readers_read_the_same(seed: int, tmp_path: Path) -> None:
    """Tables, datums and digests of files that are mostly right; words of refusals otherwise."""
    rng = np.random.default_rng(seed)
    truth, results = truth_file(rng), None
    results = results_file(rng, truth)
    for _ in range(rng.integers(0, 3)):
        spoil(rng, truth if rng.random() < 0.5 else results)
    instances, detections = tmp_path / "instances.json", tmp_path / "results.json"
    instances.write_bytes(spelled(rng, truth))
    detections.write_bytes(spelled(rng, results))
    assert outcome(instances, detections, "auto") == outcome(instances, detections, "numpy")


def test_files_without_oddities_are_read_by_the_compiled_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the JSON reader was asked")

    rng = np.random.default_rng(7)
    truth = truth_file(rng)
    while not truth["annotations"]:
        truth = truth_file(rng)
    instances, detections = tmp_path / "instances.json", tmp_path / "results.json"
    instances.write_text(json.dumps(truth), "utf-8")
    detections.write_text(json.dumps(results_file(rng, truth)), "utf-8")
    monkeypatch.setattr(coco_content, "_parsed", refuse)
    data = velour.read_dataset(instances).with_predictions(detections, "m")
    assert data.predictions is not None
    assert len(data.truth) == len(truth["annotations"])


def outcome(instances: Path, detections: Path, engine: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VELOUR_ENGINE", engine)
        try:
            data = velour.read_dataset(instances)
            content: list[Any] = [
                data.digest, data.uids, list(data.datums), described(data.truth), data.reading,
            ]  # fmt: skip
        except VelourError as error:
            return type(error), str(error)
        try:
            whole = data.with_predictions(detections, "m")
        except VelourError as error:
            return content, type(error), str(error)
        assert whole.predictions is not None
        read = (described(whole.predictions), whole.predictions_reading)
        return content, whole.predictions_digest, read


def described(table: velour.AnnotationTable) -> Any:
    numbers = [table.datum, table.annotation, table.label, table.score, table.box, table.area,
               table.crowd]  # fmt: skip
    shapes = [None] * len(table) if table.shape is None else list(table.shape)
    return table.labels, [np.asarray(column).tobytes() for column in numbers], shapes


def truth_file(rng: np.random.Generator) -> dict[str, Any]:
    ids = rng.permutation(40)[: rng.integers(1, 6)].tolist()
    images = [
        {"id": one, "file_name": f"{word(rng)}{one}.jpg", "height": HEIGHT, "width": WIDTH}
        for one in ids
    ]
    categories = [{"id": one * 3, "name": f"{word(rng)}{one}"} for one in range(rng.integers(1, 4))]
    annotations = [
        {"id": number, **entry(rng, ids, categories), "iscrowd": int(rng.random() < 0.2)}
        for number in range(rng.integers(0, 9))
    ]
    for one in annotations:
        if rng.random() < 0.7:
            one["area"] = float(rng.random() * 50)
    return {"info": {"x": [1, {}]}, "images": images, "annotations": annotations,
            "categories": categories}  # fmt: skip


def results_file(rng: np.random.Generator, truth: dict[str, Any]) -> list[Any]:
    ids = [image["id"] for image in truth["images"]]
    scores = rng.choice([0.0, 0.25, 0.5, 1.0, 0.123456789], 12).tolist()
    return [
        {**entry(rng, ids, truth["categories"]), "score": scores[number]}
        for number in range(rng.integers(0, 12))
    ]


def entry(rng: np.random.Generator, images: list[int], labels: list[Any]) -> dict[str, Any]:
    one: dict[str, Any] = {
        "image_id": int(rng.choice(images)),
        "category_id": labels[rng.integers(len(labels))]["id"],
    }
    if rng.random() < 0.7:
        one["bbox"] = rng.uniform(0, 9, 4).round(2).tolist()
    if rng.random() < 0.7 or "bbox" not in one:
        one["segmentation"] = segmentation(rng)
    return one


def segmentation(rng: np.random.Generator) -> Any:
    if rng.random() < 0.5:
        rings = [rng.uniform(-1, 12, 2 * rng.integers(3, 6)).round(2) for _ in range(3)]
        return [ring.tolist() for ring in rings[: rng.integers(1, 4)]]
    mask = rng.random((HEIGHT, WIDTH)) < rng.choice([0, 0.1, 0.5, 1])
    if rng.random() < 0.6:
        counts = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        return {"size": [HEIGHT, WIDTH], "counts": counts}
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat.astype(int), prepend=0))
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, flat.size]).tolist()}


def word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list('ab"\\/\té€𝄞 '), rng.integers(0, 4)))


def spoil(rng: np.random.Generator, content: Any) -> None:
    """Change, remove or double something: of the file, of a list or of an entry."""
    part: Any = content
    while isinstance(part, (dict, list)) and part and rng.random() < 0.75:
        keys = list(part) if isinstance(part, dict) else range(len(part))
        inner = part[keys[rng.integers(len(keys))]]
        if not isinstance(inner, (dict, list)) or not inner:
            break
        part = inner
    strange = copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
    if isinstance(part, list) and part:
        kind, at = rng.integers(3), int(rng.integers(len(part)))
        if kind == 0:
            part.append(copy.deepcopy(part[at]))
        else:
            part[at : at + 1] = [strange] if kind == 1 else []
    elif isinstance(part, dict) and part:
        known = [*part, KEYS[rng.integers(len(KEYS))]]
        key = known[rng.integers(len(known))]
        if rng.random() < 0.3:
            part.pop(key, None)
        else:
            part[key] = strange


def spelled(rng: np.random.Generator, content: Any) -> bytes:
    """A file in some spelling: white space, escapes, encodings, an early end, doubled keys."""
    text = json.dumps(shuffled(rng, content), ensure_ascii=bool(rng.random() < 0.5),
                      indent=[None, 1][rng.integers(2)])  # fmt: skip
    chance = rng.random()
    if chance < 0.03:
        return text[: rng.integers(len(text))].encode("utf-8")
    if chance < 0.06:
        return text.encode("utf-16")
    if chance < 0.09:
        return b"\xef\xbb\xbf" + text.encode()
    if chance < 0.12:
        return text.replace('"area"', '"area": null, "area"').encode()
    if chance < 0.15:
        return text.replace('"score"', '"id": -1, "bbox": null, "score"').encode()
    return text.encode("utf-8")


def shuffled(rng: np.random.Generator, content: Any) -> Any:
    if isinstance(content, dict):
        keys = [list(content)[at] for at in rng.permutation(len(content))]
        return {key: shuffled(rng, content[key]) for key in keys}
    return [shuffled(rng, item) for item in content] if isinstance(content, list) else content
