"""Strangers' plugins: other distributions, beside Velour, that know its door only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

EVALUATOR = '''
"""Counts objects: how far off is a model's number of them, image by image?"""

from dataclasses import replace

import numpy as np

import velour_plugin as velour


class CountObjects(velour.Evaluator):
    task = "count-objects"
    version = "1"
    headline = ("mean_absolute_error",)
    lower_is_better = frozenset(headline)
    defaults = {"min_score": 0.0}

    def match(self, dataset, parameters):
        predictions = dataset.predictions
        predictions = predictions.take(predictions.score >= parameters["min_score"])
        tables = dataset.truth, predictions
        real, claimed = (np.bincount(table.datum, minlength=len(dataset)) for table in tables)
        datums = {"datum": np.arange(len(dataset)), "off_by": np.abs(real - claimed)}
        labels = dataset.truth.labels
        return velour.Ledger(self.task, dataset.uids, labels, dict(parameters), {"datums": datums})

    def concatenate(self, ledgers):
        whole = super().concatenate(ledgers)
        datums = whole.tables["datums"]
        order = np.argsort(datums["datum"])
        tables = {"datums": {name: column[order] for name, column in datums.items()}}
        return replace(whole, tables=tables)

    def measure(self, ledger, datums=None, weights=None):
        off_by = ledger.tables["datums"]["off_by"]
        counts = ledger.weights_of(datums, weights)
        counts = np.ones(len(off_by)) if counts is None else counts
        value = float(np.average(off_by, weights=counts)) if counts.any() else None
        return [velour.Metric("mean_absolute_error", value)]


@velour.hookimpl
def velour_evaluators():
    return [CountObjects()]
'''

SESSION = """
import json, mlflow
import velour_plugin as velour

def annotations(count, score=None):
    label = velour.Label("class", "fire", score)
    return [velour.Annotation([label], bounding_box=velour.BoundingBox(0, 0, 1, 1))] * count

datums = [velour.Datum(str(uid), {"night": uid == 2}) for uid in (1, 2)]
truth = [velour.GroundTruth(datum, annotations(2)) for datum in datums]
dataset = velour.Dataset.from_groundtruths(truth, "fires")
for model, counts in {"sees double": (4, 4), "misses one": (1, 2), "night owl": (0, 2)}.items():
    predictions = [velour.Prediction(d, annotations(n, 0.9)) for d, n in zip(datums, counts)]
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            data=mlflow.data.from_velour(dataset.with_predictions(predictions, model)),
            model_type="count-objects",
            evaluators="velour",
        )
    print(model, *mlflow.get_run(run.info.run_id).data.metrics.items())
for where in (None, "night = true"):
    board = velour.rank("mean_absolute_error", "fires", where=where, resamples=0)
    print(json.dumps([(row.rank, row.model, row.value) for row in board]))
"""


INSPECTOR = '''
"""Notes which datums came with which version, in a table of its own, and has stores of its own."""

import velour_plugin as velour
from velour_plugin.plugin import SqlStore, StoreTables


@velour.hookimpl
def velour_tables():
    from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text

    metadata = MetaData()
    version = Column("version_id", Integer, ForeignKey("versions.id"))
    Table("inspections", metadata, version, Column("remark", Text))
    return [StoreTables("inspections", metadata, "inspector_migrations", head="HEAD")]


@velour.hookimpl
def velour_after_dataset(version, store):
    from sqlalchemy import text

    if isinstance(store, SqlStore):
        remark = f"{version.dataset} v{version.number}: {version.datums} datums"
        statement = text("INSERT INTO inspections (version_id, remark) VALUES (:version, :remark)")
        with store.transaction() as connection:
            connection.execute(statement, {"version": version.id, "remark": remark})


@velour.hookimpl
def velour_after_evaluation(evaluation, store):
    print("evaluated", evaluation.model, "in", type(store).__name__)


@velour.hookimpl
def velour_stores():
    def open_vault(url, *, create):
        name = url.removeprefix("vault://")
        return velour.open_store(f"sqlite:///{name}.vault", create=create)

    return {"vault": open_vault}
'''

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "HEAD", None


def upgrade():
    version = sa.Column("version_id", sa.Integer, sa.ForeignKey("versions.id"))
    op.create_table("inspections", version, sa.Column("remark", sa.Text))
"""

STORED = """
import sys
import velour_plugin as velour

fire = velour.Label("class", "fire"), velour.Label("class", "fire", 0.9)
truth, found = (
    velour.Annotation([label], bounding_box=velour.BoundingBox(0, 0, 1, 1)) for label in fire
)
datum = velour.Datum("1")
dataset = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [truth])], "fires")
dataset = dataset.with_predictions([velour.Prediction(datum, [found])], "yolo")
with velour.open_store(sys.argv[1]) as store:
    velour.evaluate(dataset, "object-detection", store=store)
"""


CONTRACT = """
import numpy
import velour_plugin as velour
from count_objects import CountObjects
from velour_plugin.testing.evaluators import EvaluatorContract


def annotations(count, scores=()):
    label = "class", "fire"
    labels = [velour.Label(*label, score) for score in scores] or [velour.Label(*label)] * count
    box = velour.BoundingBox(0, 0, 1, 1)
    return [velour.Annotation([label], bounding_box=box) for label in labels]


class TestCountObjects(EvaluatorContract):
    evaluator = CountObjects()

    def dataset(self, seed):
        rng = numpy.random.default_rng(seed)
        datums = [velour.Datum(str(uid)) for uid in range(6)]
        truths = [velour.GroundTruth(datum, annotations(rng.integers(4))) for datum in datums]
        found = [velour.Prediction(datum, annotations(0, rng.random(2))) for datum in datums]
        dataset = velour.Dataset.from_groundtruths(truths, "fires", labels=[("class", "fire")])
        return dataset.with_predictions(found, "yolo")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory of packages, on the path of the processes below."""
    return tmp_path / "site"


def install(
    name: str, site: Path, source: str = EVALUATOR, files: Mapping[str, str] | None = None
) -> None:
    """Make a wheel of a module with an entry point of the group ``velour``; pip installs it."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    wheel = site.parent / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{module}.py", source)
        for path, content in (files or {}).items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/entry_points.txt", f"[velour]\n{name} = {module}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
    pip = ("pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    result = python("-m", *pip, "--target", str(site), str(wheel))
    assert result.returncode == 0, result.stderr


def install_inspector(site: Path, head: str = "0001") -> None:
    """A wheel with a store, tables and listeners; ``head`` is the revision of its tables."""
    migrations = {
        "inspector_migrations/__init__.py": "",
        f"inspector_migrations/v{head}.py": MIGRATION.replace("HEAD", head),
    }
    install("inspector", site, INSPECTOR.replace("HEAD", head), migrations)


def python(*arguments: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a fresh process that sees what is installed in ``site``."""
    places = [str(site), os.environ.get("PYTHONPATH")] if site else []
    path = {"PYTHONPATH": os.pathsep.join(filter(None, places))} if site else {}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **path},
    )


def velour_command(*arguments: str, site: Path) -> subprocess.CompletedProcess[str]:
    return python("-c", "from velour_plugin.cli import main; main()", *arguments, site=site)


def test_a_strangers_evaluator_evaluates_through_mlflow_and_ranks(site: Path) -> None:
    """Off by 2 and 2, by 1 and 0, by 2 and 0: the smallest mean comes first."""
    install("count-objects", site)
    result = python("-c", dedent(SESSION), site=site)
    assert result.returncode == 0, result.stderr
    *logged, everything, by_night = result.stdout.splitlines()
    assert logged == [
        f"{model} ('mean_absolute_error', {whole}) ('mean_absolute_error_by_night/False', {day}) "
        f"('mean_absolute_error_by_night/True', {night})"
        for model, whole, day, night in (
            ("sees double", 2.0, 2.0, 2.0),
            ("misses one", 0.5, 1.0, 0.0),
            ("night owl", 1.0, 2.0, 0.0),
        )
    ]
    assert json.loads(everything) == [
        [1, "misses one", 0.5],
        [2, "night owl", 1.0],
        [3, "sees double", 2.0],
    ]
    assert json.loads(by_night) == [
        [1, "misses one", 0.0],
        [1, "night owl", 0.0],
        [3, "sees double", 2.0],
    ]


def test_it_is_listed_with_its_provider_like_our_own(site: Path) -> None:
    install("count-objects", site)
    listed = velour_command("plugins", site=site).stdout
    assert ["evaluator", "count-objects", "count-objects", "(count-objects", "1.0)"] in [
        line.split()[:5] for line in listed.splitlines()
    ]
    assert "object-detection" in listed


@pytest.mark.parametrize("command", [["plugins"], ["--help"]])
def test_two_providers_of_one_task_are_refused_and_named(site: Path, command: list[str]) -> None:
    install("count-objects", site)
    install("count-again", site)
    result = velour_command(*command, site=site)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "evaluator 'count-objects' is offered by " in result.stderr
    assert "count-objects (count-objects 1.0)" in result.stderr
    assert "count-again (count-again 1.0)" in result.stderr
    assert "uninstall one of them" in result.stderr


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def test_a_plugin_keeps_tables_of_its_own_and_hears_of_datasets(store_url: str, site: Path) -> None:
    """One new version, one row; the same evaluation again adds none."""
    install_inspector(site)
    upgraded = velour_command("db", "upgrade", "--store", store_url, site=site)
    assert upgraded.returncode == 0, upgraded.stderr
    for expected in ("evaluated yolo in SqlStore\n", ""):
        result = python("-c", STORED, store_url, site=site)
        assert (result.returncode, result.stdout) == (0, expected), result.stderr
    joined = "SELECT remark, number FROM inspections JOIN versions ON id = version_id"
    assert query(store_url, joined) == [("fires v1: 1 datums", 1)]
    listed = velour_command("plugins", site=site).stdout
    assert ["tables", "inspections", "inspector", "(inspector", "1.0)"] in [
        line.split() for line in listed.splitlines()
    ]
    delete = ("db", "delete-tables", "inspections", "--store", store_url, "--yes")
    assert velour_command(*delete, site=site).stdout == "The tables 'inspections' are deleted.\n"
    with pytest.raises(DBAPIError):
        query(store_url, "SELECT * FROM inspections")
    assert query(store_url, "SELECT number FROM versions") == [(1,)]


def test_tables_of_a_newer_version_of_a_plugin_are_refused(store_url: str, site: Path) -> None:
    newer, older = site.parent / "newer", site.parent / "older"
    install_inspector(newer, "0002")
    assert velour_command("db", "upgrade", "--store", store_url, site=newer).returncode == 0
    install_inspector(older, "0001")
    for command in (["db", "upgrade"], ["rank", "mAP", "--dataset", "fires"]):
        result = velour_command(*command, "--store", store_url, site=older)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert "tables 'inspections' 0002, newer than 0001 of plugin 'inspector" in result.stderr


def test_a_plugin_opens_stores_of_its_own_scheme(tmp_path: Path, site: Path) -> None:
    rank = ("rank", "mAP", "--dataset", "fires", "--store", "vault://fires")
    missing = velour_command(*rank, site=tmp_path)
    assert missing.returncode == 2
    assert "known schemes are postgres, postgresql, sqlite." in missing.stderr
    install_inspector(site)
    assert "there is no store" in velour_command(*rank, site=site).stderr
    result = python("-c", STORED, "vault://fires", site=site)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "fires.vault").exists()
    assert "yolo" in velour_command(*rank, site=site).stdout


ANYWHERE = """
import json, sys
import velour_plugin as velour
from velour_plugin.testing.stores import fires

board = "mAR_100", "fires"
for url in sys.argv[1:]:
    for found in (["2"], ["2", "10"], ["a", "b", "20"]):
        velour.evaluate(fires(found, f"finds {len(found)}"), "object-detection", store=url)
    with velour.open_store(url) as store:
        store.tag("fires", "seen", where="hour < 12")
    answers = [
        velour.rank(*board, where="'seen' IN (fact.tags)", resamples=20, store=url),
        velour.rank(*board, where="annotation.area > 50 AND hour > 1", resamples=0, store=url),
        velour.rank(*board, where="datum.truths = 1", columns=["mAP"], resamples=0, store=url),
        velour.matrix("mAR_100", resamples=20, store=url),
        velour.compare("finds 1", "finds 3", permutations=9, store=url),
        velour.slices("finds 3", by="hour", resamples=0, store=url),
        velour.worst("finds 2", store=url),
    ]
    evaluation = velour.evaluate(fires(["a"]), "object-detection", where="hour > 2", store=url)
    print(json.dumps([answer.to_dict() for answer in answers]), evaluation.value("mAR_100"))
"""


def test_a_store_without_sql_answers_as_sqlite_does(tmp_path: Path, site: Path) -> None:
    """Every question, matched again or not; it imports what plugins may, and no SQL is loaded."""
    install("memory-store", site, (Path(__file__).parents[1] / "memory_store.py").read_text())
    result = python("-c", ANYWHERE, f"sqlite:///{tmp_path}/a.db", "memory://a", site=site)
    assert result.returncode == 0, result.stderr
    sql, memory = result.stdout.splitlines()
    assert memory == sql
    no_sql = "import sys; assert 'sqlalchemy' not in sys.modules, 'a store needs SQL'"
    alone = python("-c", ANYWHERE + no_sql, "memory://b", site=site)
    assert (alone.returncode, alone.stdout) == (0, memory + "\n"), alone.stderr


def run_suite(site: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    suite = site.parent / "test_count_objects.py"
    suite.write_text(source)
    return python("-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(suite), site=site)


def test_an_evaluator_is_held_to_the_contract_that_velour_ships(site: Path) -> None:
    """A clause that fails shows the values on both sides, as in a test of one's own."""
    install("count-objects", site)
    passed = run_suite(site, CONTRACT)
    assert passed.returncode == 0, passed.stdout
    install("biased", site, EVALUATOR.replace("headline = (", 'headline = ("bias", '))
    failed = run_suite(site, CONTRACT.replace("count_objects", "biased"), "-k", "headline")
    assert failed.returncode == 1
    assert "['mean_absolute_error'] == ['bias', " in failed.stdout


def test_a_misspelt_hook_is_refused_by_every_command(site: Path) -> None:
    misspelt = EVALUATOR.replace("velour_evaluators", "velour_evaluator")
    install("count-objects", site, misspelt)
    result = velour_command("plugins", site=site)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "plugin 'count-objects (count-objects 1.0)' implements an unknown hook" in result.stderr
    assert "did you mean 'velour_evaluators'?" in result.stderr


@pytest.mark.parametrize("source", ["import no_such_module", "raise SystemExit(3)", "def x(:"])
def test_a_plugin_that_cannot_be_imported_is_named_by_every_command(
    site: Path, source: str
) -> None:
    install("count-objects", site, source)
    for command in ("plugins", "--help"):
        result = velour_command(command, site=site)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        name = "plugin 'count-objects (count-objects 1.0)' failed while it was imported: "
        assert name in result.stderr
        assert "uninstall it" in result.stderr
