"""What MLflow says of runs and models, in filters; and facts in ``mlflow.models.evaluate``."""

from __future__ import annotations

import mlflow
import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import IMAGES, fires
from velour_plugin.errors import BadFilter, InvalidInput

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]


def evaluated(model: str, **tags: str) -> str:
    """Evaluate a model in a run with tags of its own, and a parameter."""
    with mlflow.start_run() as run:
        mlflow.set_tags({name.replace("__", "."): value for name, value in tags.items()})
        mlflow.log_param("size", model.upper())
    config = {"model": model}
    return runs.evaluate(fires(tuple(IMAGES), model), run.info.run_id, evaluator_config=config)


def ranked(where: str) -> list[str]:
    return [row.model for row in velour.rank("mAP", dataset="fires", where=where, resamples=0)]


def test_tags_of_a_run_describe_its_model() -> None:
    """Beside what is known of it already."""
    with velour.open_store() as store:
        store.save_model(velour.Model("s", {"team": "red"}))
    evaluated("s", velour__model__backbone="swin", velour__model__depth="50",
              velour__model__location="[42.36, -71.03]")  # fmt: skip
    evaluated("m")
    with velour.open_store() as store:
        known = store.models()
    swin = velour.Model("s", {"team": "red", "backbone": "swin", "depth": 50}, (42.36, -71.03))
    assert known == [swin]
    assert ranked("model.metadata.backbone = 'swin' AND model.metadata.depth > 40") == ["s"]


def test_runs_are_chosen_by_their_parameters_metrics_and_tags() -> None:
    fast_or_small = "mlflow.metrics.latency_ms < 10 OR mlflow.params.size = 'S'"
    evaluated("s", team="red")
    run = evaluated("m")
    assert ranked("mlflow.params.size = 'S'") == ["s"]
    assert ranked("mlflow.tags.team IS NULL") == ["m"]
    assert ranked(fast_or_small) == ["s"]
    mlflow.MlflowClient().log_metric(run, "latency_ms", 4)
    assert sorted(ranked(fast_or_small)) == [
        "m",
        "s",
    ]
    with pytest.raises(InvalidInput, match=r"did you mean 'mlflow.params.NAME'"):
        ranked("mlflow.param.size = 'S'")
    with pytest.raises(BadFilter, match=r"mlflow.params.size is a string and 3 is a number"):
        ranked("mlflow.params.size = 3")


def test_facts_select_what_is_evaluated_in_a_run() -> None:
    with velour.open_store() as store:
        store.save_dataset(fires())
        store.tag("fires", "night", where="hour >= 20")
    config = {"where": "'night' IN (fact.tags)", "model": "m"}
    run = runs.evaluate(fires(["2"], "m"), evaluator_config=config)
    assert runs.metrics(run)["mAR_100"] == 0.5  # of 2 and 20, one is found
    assert '"uid"' in runs.evaluation_json(run)["certificate"]["filter"]
