"""What people import: every name of the contract is there, says what it is, and costs little."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.evaluator import Evaluator
from velour_plugin.store import Store

CONTRACT = {
    "Annotation", "BoundingBox", "Dataset", "Datum", "Evaluation", "Evaluator", "GroundTruth",
    "ImageMetadata", "Label", "Metric", "MultiPolygon", "Polygon", "Prediction", "Raster",
    "EvaluatedRun", "VideoFrameMetadata", "evaluate", "hookimpl", "hookspecs", "open_store",
    "rank", "read_dataset",
}  # fmt: skip
"""Names that people and outside checks rely on."""


def test_every_name_of_the_contract_is_public() -> None:
    assert set(velour.__all__) >= CONTRACT


@pytest.mark.parametrize("name", velour.__all__)
def test_every_public_name_exists_and_is_listed(name: str) -> None:
    assert getattr(velour, name) is not None
    assert name in dir(velour)


@pytest.mark.parametrize("package", ["velour_plugin", "velour_evaluators", "velour_integrations"])
def test_type_checkers_read_every_package(package: str) -> None:
    """What they then see of the public names is checked by ``make lint``: tests/typing/api.py."""
    assert (files(package) / "py.typed").is_file()


def test_names_are_listed_once() -> None:
    assert len(set(velour.__all__)) == len(velour.__all__)


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Banana'"):
        _ = velour.Banana  # type: ignore[attr-defined]


def test_a_star_import_brings_the_public_names() -> None:
    space: dict[str, Any] = {}
    exec("from velour_plugin import *", space)
    assert set(velour.__all__) <= space.keys()


def test_the_type_checker_is_told_of_the_same_names() -> None:
    """Names load when they are used, so they stand twice in the file: for people and for mypy."""
    source = inspect.getsource(velour)
    exported = {
        line.rsplit(" as ", 1)[1].rstrip(",") for line in source.splitlines() if " as " in line
    }
    assert exported >= {name for name in velour.__all__ if name not in ("errors", "hookspecs")}


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (owner, name)
        for owner in (velour, velour.Dataset, velour.Evaluation, velour.Raster, Store, Evaluator)
        for name in (velour.__all__ if owner is velour else vars(owner))
        if not name.startswith("_")
    ],
)
def test_what_is_public_says_what_it_is(owner: Any, name: str) -> None:
    value = inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)
    value = getattr(value, "__func__", value)
    if callable(value) or isinstance(value, property) or inspect.ismodule(value):
        assert inspect.getdoc(value), f"{owner!r}.{name} has no docstring"


def test_every_error_has_an_exit_code_and_a_status() -> None:
    exported = vars(velour.errors).values()
    errors = [
        item for item in exported if getattr(item, "__module__", "") == velour.errors.__name__
    ]
    assert len(errors) > 10
    for error in errors:
        assert issubclass(error, velour.errors.VelourError)
        assert error.exit_code in (1, 2)
        assert 400 <= error.http_status < 600
        assert error.__name__ in (velour.errors.__doc__ or "")


@pytest.mark.parametrize("path", [None, 7, ["fires.json"], {"images": []}])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(velour.errors.InvalidInput, match=r"^path .*: expected a path"):
        velour.read_dataset(path)
    if path is not None:
        with pytest.raises(velour.errors.InvalidInput, match=r"^metadata .*: expected a path"):
            velour.read_dataset("fires.json", metadata=path)
