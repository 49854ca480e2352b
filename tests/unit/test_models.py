"""Models and datasets with metadata and a location, and filters on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import BadGeometry, BadMetadata, InvalidInput, NotFound, UnknownName
from velour_plugin.store import Store, upgrade_store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def named(name: str, sensor: str | None) -> velour.Dataset:
    """The fires under another name, with metadata of the whole."""
    metadata = {} if sensor is None else {"sensor": sensor, "sun": {"angle": 30}}
    truths = list(fires().groundtruths)
    return velour.Dataset.from_groundtruths(truths, name, metadata)


def judge(store: Store, dataset: velour.Dataset, model: str) -> None:
    predictions = [
        velour.Prediction(truth.datum, [velour.Annotation(
            [velour.Label("class", "fire", 0.9)], velour.BoundingBox.from_xywh(0, 0, 10, 10))])
        for truth in dataset.groundtruths
    ]  # fmt: skip
    velour.evaluate(dataset.with_predictions(predictions, model), "object-detection", store=store)


def test_a_model_comes_back_as_it_was_saved(store: Store) -> None:
    store.save_model(velour.Model("yolo"))
    swin = velour.Model("swin", {"backbone": "swin", "depth": [2, 2]}, (42.36, -71.03))
    store.save_model(swin)
    assert store.models() == [swin, velour.Model("yolo")]
    assert store.load_model("swin").location == shapely.Point(-71.03, 42.36)
    store.save_model(velour.Model("swin", {"backbone": "vit"}))
    assert store.load_model("swin") == velour.Model("swin", {"backbone": "vit"})
    with pytest.raises(UnknownName, match="unknown model 'swim': did you mean 'swin'"):
        store.load_model("swim")


def test_a_model_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(InvalidInput, match="model ''"):
        velour.Model("")
    with pytest.raises(BadMetadata):
        velour.Model("m", {"x": object()})
    with pytest.raises(BadGeometry):
        velour.Model("m", location=(100, 0))


def test_the_location_of_a_dataset_is_content_and_its_absence_is_not(store: Store) -> None:
    """Datasets without one keep the digests that they had."""
    truths = list(fires().groundtruths)
    plain = velour.Dataset.from_groundtruths(truths, "fires", {"sensor": "EO"})
    placed = velour.Dataset.from_groundtruths(truths, "fires", {"sensor": "EO"}, location=(1, 2))
    assert plain.digest != placed.digest
    store.save_dataset(placed)
    back = store.load_dataset("fires")
    assert (back.location, back.digest) == (shapely.Point(2, 1), placed.digest)
    more = velour.Dataset.from_groundtruths([velour.GroundTruth(velour.Datum("new"))], "fires")
    store.add_datums(more)
    assert store.load_dataset("fires").digest == store.versions("fires")[0].digest


def test_partitions_keep_the_location_of_their_dataset(tmp_path: Path) -> None:
    truths = list(fires().groundtruths)
    whole = velour.Dataset.from_groundtruths(truths, "fires", location=(42.36, -71.03))
    whole = whole.with_predictions([], velour.Model("m"))
    parts = [whole.subset(np.arange(4) < 2), whole.subset(np.arange(4) >= 2)]
    folder = velour.PartitionedDataset.write(tmp_path / "parts", parts)
    assert folder.location == whole.location
    evaluation = velour.evaluate(folder, "object-detection", save=False)
    assert evaluation.certificate.dataset_digest == whole.digest


def test_the_digest_of_a_dataset_without_location_is_the_landed_one() -> None:
    """Written down when locations came in."""
    data = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1", {"a": 1}))], "d", {"sensor": "EO"}
    )
    assert data.digest == LANDED


LANDED = "aa6ce32479f32bd852c2c600803b24b4060b2660f5ac146af476a4f18cd5ebd5"


def test_runs_are_ranked_by_the_metadata_of_their_models(store: Store) -> None:
    store.save_model(velour.Model("a", {"backbone": "swin", "layers": {"depth": 50}}))
    store.save_model(velour.Model("b", {"backbone": "vit"}))
    for model in "abc":
        judge(store, fires(), model)

    def models(where: str) -> list[str]:
        board = velour.rank("mAP", dataset="fires", where=where, resamples=0, store=store)
        return sorted(row.model for row in board)

    assert models("model.metadata.backbone = 'swin'") == ["a"]
    assert models("NOT model.metadata.backbone = 'swin'") == ["b"]
    assert models("model.metadata.backbone IS NULL") == ["c"]
    assert models("model.metadata.layers.depth > 40 AND hour >= 0") == ["a"]
    assert models("model.metadata.backbone LIKE 's%' OR model = 'c'") == ["a", "c"]
    with pytest.raises(UnknownName, match=r"did you mean 'model.metadata.backbone'"):
        models("model.metadata.backbon = 'swin'")
    with pytest.raises(NotFound, match="no evaluated run matches"):
        models("model.metadata.backbone = 'resnet'")


def test_datasets_are_ranked_by_their_metadata(store: Store) -> None:
    for name, sensor in {"day": "EO", "radar": "SAR", "old": None}.items():
        judge(store, named(name, sensor), "a")

    def datasets(where: str) -> str:
        names = ["day", "radar", "old"]
        return velour.rank("mAP", dataset=names, where=where, resamples=0, store=store).dataset

    assert datasets("dataset.metadata.sensor = 'EO'") == "day"
    assert datasets("dataset.metadata.sun.angle = 30") == "day, radar"
    assert datasets("dataset.metadata.sensor = 'EO' AND uid IS NOT NULL") == "day"
    with pytest.raises(UnknownName, match=r"dataset.metadata.sensor"):
        datasets("dataset.metadata.sensr = 'EO'")


def test_a_filter_on_models_is_refused_where_the_run_is_named(store: Store) -> None:
    judge(store, fires(), "a")
    with pytest.raises(InvalidInput, match=r"model.metadata.backbone = 'swin' chooses among runs"):
        velour.worst("a", where="model.metadata.backbone = 'swin'", store=store)


def test_a_dataset_described_anew_is_its_next_version(sqlite_url: str) -> None:
    """What describes it is content; its datums, and what is known of them, are shared."""
    from click.testing import CliRunner

    from velour_plugin.cli import main

    with velour.open_store(sqlite_url) as store:
        store.save_dataset(fires())
        store.tag("fires", "seen")
    runner = CliRunner()
    options = ["--metadata", "sensor=EO", "--location", "42.36,-71.03", "--store", sqlite_url]
    done = runner.invoke(main, ["datasets", "set", "fires", *options])
    assert done.output.startswith("fires v2 ")
    with velour.open_store(sqlite_url) as store:
        back = store.load_dataset("fires")
        assert back.metadata == {"sensor": "EO"}
        assert back.location is not None
        assert set(store.facts("fires")) == set(fires().uids)
        assert store.load_dataset("fires", 1).digest == fires().digest
        velour.evaluate(back.with_predictions([], "m"), "object-detection", store=store)
        board = velour.rank("mAP", "fires", where="dataset.metadata.sensor = 'EO'", store=store)
        assert [row.model for row in board] == ["m"]
    wrong = runner.invoke(
        main, ["datasets", "set", "fires", "--location", "x", "--store", sqlite_url]
    )
    assert wrong.exit_code == 2
    assert "expected LATITUDE,LONGITUDE" in wrong.output
