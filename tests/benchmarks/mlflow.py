"""What MLflow costs: ``python -m tests.benchmarks.mlflow``.

A call of ``mlflow.models.evaluate`` against the same work without MLflow, and against MLflow's own
evaluator of classifiers. The ways run in turn, in one process; shown are medians of wall and CPU
time, and medians of the ratios of each round. Every round has a store and a model of its own name,
so nothing is found to be known already, unless the row says so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import velour_plugin as velour
from tests.benchmarks import workload

Way = Callable[[], Any]
ROWS, FEATURES = 100_000, 20
ASKED = 20_000
"""Rows that a model answers with masks, to see how much memory it takes."""


def seconds(way: Way) -> tuple[float, float]:
    """Wall and CPU time of a way."""
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - wall, time.process_time() - cpu


def race(title: str, ways: dict[str, Way], rounds: int) -> None:
    """Run ways in turn; ratios are to the first one."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            spent = seconds(way)
            if number:
                times[name].append(spent)
    base = times[next(iter(ways))]
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}")
    print("| way | wall s | CPU s | wall ÷ first | CPU ÷ first |")
    print("|---|---|---|---|---|")
    for name, spent in times.items():
        median = [statistics.median(column) for column in zip(*spent, strict=True)]
        ratio = [
            statistics.median(
                mine[kind] / other[kind] for mine, other in zip(spent, base, strict=True)
            )
            for kind in (0, 1)
        ]
        print(f"| {name} | {median[0]:.2f} | {median[1]:.2f} | {ratio[0]:.2f} | {ratio[1]:.2f} |")


@contextlib.contextmanager
def split(parts: dict[str, tuple[Any, str]]) -> Iterator[dict[str, float]]:
    """Say how much CPU time functions take, by names for them."""
    spent = dict.fromkeys(parts, 0.0)

    def watched(name: str, function: Any) -> Any:
        def run(*given: Any, **more: Any) -> Any:
            began = time.process_time()
            try:
                return function(*given, **more)
            finally:
                spent[name] += time.process_time() - began

        return run

    with contextlib.ExitStack() as stack:
        for name, (owner, function) in parts.items():
            original = getattr(owner, function)
            stack.enter_context(mock.patch.object(owner, function, watched(name, original)))
        yield spent


def show_split(title: str, way: Way) -> None:
    """Where the time of one call goes; parts lie within others as the names say."""
    from velour_integrations.mlflow.evaluation import evaluator
    from velour_integrations.mlflow.runs import run

    from velour_plugin.store import Store
    from velour_plugin.use_cases import evaluate

    parts: dict[str, tuple[Any, str]] = {
        "reading the data": (evaluator, "dataset_of"),
        "asking the model": (evaluator, "predicted"),
        "judging and storing": (velour, "evaluate"),
        "- of it, matching": (evaluate, "match_parts"),
        "- of it, storing": (Store, "save"),
        "numbers of labels and slices": (run, "mlflow_metrics"),
        "metrics into the run": (run, "log_metrics"),
        "artifacts, report, curves, view": (run, "log_artifacts"),
    }
    with split(parts) as spent:
        whole = seconds(way)[1]
    print(f"\n{title}: {whole:.2f} s CPU")
    for name, part in spent.items():
        print(f"  {name}: {part:.2f}")
    within = sum(part for name, part in spent.items() if not name.startswith("-"))
    print(f"  MLflow itself, digests that it asks for: {whole - within:.2f}")


# ---- detections --------------------------------------------------------------------------------


def detections(folder: Path, rounds: int) -> None:
    """Five thousand images with 250,000 detections, from COCO files."""
    import mlflow

    truth = workload.truths()
    truth_file, said_file = folder / "truth.json", folder / "predicted.json"
    truth_file.write_bytes(workload.truth_json(truth))
    said_file.write_bytes(workload.detection_json(truth, workload.detections(truth)))
    last: dict[str, velour.Dataset] = {}

    def read() -> velour.Dataset:
        dataset = velour.read_dataset(truth_file, format="coco", name="coco")
        last["dataset"] = dataset.with_predictions(str(said_file), f"model {time.time()}")
        return last["dataset"]

    def logged(**config: Any) -> None:
        # another model of the same predictions: an evaluation that is not known yet
        predicted = replace(last["dataset"], model=f"model {time.time()}")
        with mlflow.start_run():
            mlflow.models.evaluate(
                data=mlflow.data.from_velour(predicted),
                model_type="object-detection",
                evaluators="velour",
                evaluator_config=config,
            )

    def alone() -> None:
        velour.evaluate(read(), "object-detection", save=False)

    def stored() -> None:
        with velour.open_store() as store:
            velour.evaluate(read(), "object-detection", store=store)

    ways: dict[str, Way] = {
        "reading, matching, measuring": alone,
        "the same, and storing": stored,
        "mlflow.models.evaluate on what was read": lambda: logged(report=False),
        "the same, with report": logged,
        "the same, without intervals": lambda: logged(intervals=False),
        "reading and mlflow.models.evaluate, with report": lambda: (read(), logged()),
    }
    race("250,000 detections", ways, rounds)
    show_split("a call with report", logged)


# ---- a classifier ------------------------------------------------------------------------------


def classifier(rounds: int) -> None:
    """A logistic regression on a hundred thousand rows."""
    import mlflow
    import pandas as pd
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression

    features, target = make_classification(ROWS, FEATURES, n_informative=8, random_state=0)
    data = pd.DataFrame(features, columns=[f"f{number}" for number in range(FEATURES)])
    fitted = LogisticRegression(max_iter=200).fit(data[:5000], target[:5000])
    data["target"] = target
    logged = mlflow.sklearn.log_model(
        fitted, name="regression", pip_requirements=[], serialization_format="cloudpickle"
    )
    model = mlflow.pyfunc.load_model(logged.model_uri)
    theirs = {"log_model_explainability": False}

    def evaluate(*evaluators: str, report: bool = False) -> None:
        ours = {
            "task": "tabular-classification",
            "dataset": "table",
            "model": f"model {time.time()}",
            "report": report,
        }
        config = {"velour": ours, "default": theirs}
        with mlflow.start_run():
            mlflow.models.evaluate(
                model,
                data,
                targets="target",
                model_type="classifier",
                evaluators=list(evaluators),
                evaluator_config={name: config[name] for name in evaluators},
            )

    ways: dict[str, Way] = {
        "MLflow's own": lambda: evaluate("default"),
        "ours": lambda: evaluate("velour"),
        "ours, with report": lambda: evaluate("velour", report=True),
        "both, with report": lambda: evaluate("default", "velour", report=True),
    }
    race(
        f"a classifier on {ROWS:,} rows of {FEATURES} features, the table stored before",
        ways,
        rounds,
    )
    show_split("ours, with report", ways["ours, with report"])


# ---- memory ------------------------------------------------------------------------------------


def memory() -> None:
    """Peak memory of asking a model about many rows at once and in batches, a process each."""
    for batch in (ASKED, 256):
        command = [sys.executable, "-m", "tests.benchmarks.mlflow", "--child", str(batch)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"{ASKED:,} rows, in batches of {batch:,}: {done.stdout.strip()}")


def child(batch: int) -> None:
    """Ask about masks of 128 x 128 pixels, one a row."""
    import mlflow
    import pandas as pd

    square = np.zeros((128, 128), bool)
    square[:50, :50] = True
    ring = [0, 0, 50, 0, 50, 50, 0, 50]
    data = pd.DataFrame({"name": range(ASKED)})
    data["truth"] = [[{"label": "fire", "segmentation": [ring]}]] * ASKED
    # MLflow infers a schema by walking through every cell; this is not about that
    source = mlflow.data.code_dataset_source.CodeDatasetSource({})
    dataset = mlflow.data.from_pandas(data, source=source, targets="truth")

    def model(frame: Any) -> list[Any]:
        return [
            [{"label": "fire", "segmentation": square.copy(), "score": 0.5}] for _ in frame["name"]
        ]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = seconds(
        lambda: mlflow.models.evaluate(
            model,
            dataset,
            model_type="instance-segmentation",
            evaluators="velour",
            evaluator_config={"batch_size": batch, "dataset": "masks", "report": False},
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak - before:,.0f} MB above {before:,.0f} MB, {wall:.1f} s, {cpu:.1f} s CPU")


def main() -> None:
    """Measure what is asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", choices=["detections", "classifier", "memory"])
    options.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
        folder = Path(name)
        os.environ["VELOUR_STORE_URI"] = f"sqlite:///{folder / 'velour.db'}"
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
        home = Path.cwd()
        if chosen.child:
            os.chdir(folder)
            child(chosen.child)
            os.chdir(home)
            return
        if chosen.only in (None, "memory"):
            memory()
        os.chdir(folder)
        if chosen.only in (None, "detections"):
            detections(folder, chosen.rounds)
        if chosen.only in (None, "classifier"):
            classifier(chosen.rounds)
        os.chdir(home)


if __name__ == "__main__":
    main()
