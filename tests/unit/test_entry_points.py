"""Entry points are read from folders as ``importlib.metadata`` finds them."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from velour_plugin.plugins.entry_points import EntryPoint, entry_points


def install(folder: Path, info: str, lines: str, name: str | None = "Some.Plugin") -> None:
    (folder / info).mkdir(parents=True)
    (folder / info / "entry_points.txt").write_text(lines)
    if name is not None:
        fields = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n\nName: another\n"
        (folder / info / "METADATA").write_text(fields)


def found(group: str) -> list[EntryPoint]:
    return list(entry_points(group))


@pytest.mark.parametrize(
    "group", ["velour", "console_scripts", "pytest11", "mlflow.dataset_constructor", "nobody"]
)
def test_they_are_those_that_importlib_finds(group: str) -> None:
    expected = [
        (entry.name, entry.value, f"{entry.dist.name} {entry.dist.version}")
        for entry in metadata.entry_points(group=group)
        if entry.dist is not None
    ]
    assert sorted(found(group)) == sorted(expected)


def test_comments_other_groups_and_spaces_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "# ours\n[other]\nx = y\n\n[velour.test]\n# none\n a = b.c : d.e \n\nf=g [extra]\n"
    install(tmp_path, "some_plugin-1.2.dist-info", lines)
    monkeypatch.syspath_prepend(str(tmp_path))
    owner = "Some.Plugin 1.2"
    assert found("velour.test") == [("a", "b.c : d.e", owner), ("f", "g [extra]", owner)]


def test_of_two_distributions_of_one_name_the_first_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "b", "some_plugin-1.2.dist-info", "[velour.test]\nsecond = b\n")
    install(tmp_path / "a", "Some.Plugin-1.3.dist-info", "[velour.test]\nfirst = a\n")
    for folder in "ba":
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    assert [entry.name for entry in found("velour.test")] == ["first"]


def test_without_metadata_the_folder_says_name_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "bare-3.0.egg-info", "[velour.test]\na = b\n", name=None)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert found("velour.test") == [("a", "b", "bare 3.0")]


def test_a_distribution_in_an_archive_is_found_by_importlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped-1.0.dist-info/entry_points.txt", "[velour.test]\na = b\n")
        archive.writestr("zipped-1.0.dist-info/METADATA", "Name: zipped\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "zipped.zip"))
    assert found("velour.test") == [("a", "b", "zipped 1.0")]


def test_an_importer_of_its_own_is_asked_through_importlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the library ``importlib_metadata`` does, which replaces what Python has."""
    install(tmp_path, "some_plugin-1.2.dist-info", "[velour.test]\na = b\n")
    distribution = metadata.PathDistribution(tmp_path / "some_plugin-1.2.dist-info")

    class Importer:
        find_spec = staticmethod(lambda *_: None)
        find_distributions = staticmethod(lambda *_: [distribution])

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Importer])
    monkeypatch.delattr(PathFinder, "find_distributions", raising=False)
    assert found("velour.test") == [("a", "b", "Some.Plugin 1.2")]


@pytest.mark.parametrize("value", ["json", "json:dumps", "json : decoder.JSONDecoder [extra]"])
def test_loading_imports_what_importlib_would(value: str) -> None:
    expected = metadata.EntryPoint("name", value, "group").load()
    assert EntryPoint("name", value, "x 1").load() is expected
    assert "json" in sys.modules
