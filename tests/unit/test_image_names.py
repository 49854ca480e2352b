"""Names of images: as they stand, written otherwise where that leads to one image, or refused."""

from __future__ import annotations

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import ImageNames


def found(uids: list[str], names: list[str], files: list[str | None] | None = None) -> list[str]:
    """What each name means: the uid of an image, or ``-``."""
    positions = ImageNames(uids, files or []).find(names, "'m.csv'")
    return [uids[positions[name]] if name in positions else "-" for name in names]


def test_names_as_they_stand_are_found_without_a_word() -> None:
    """By uid, or by file name; a uid goes before the file name of another image."""
    assert found(["1", "2"], ["b.jpg", "1"], ["a.jpg", "b.jpg"]) == ["2", "1"]
    assert found(["1", "2"], ["2"], ["2", "x"]) == ["2"]
    assert found(["1"], ["7", ""]) == ["-", "-"]


@pytest.mark.parametrize(
    ("uid", "name", "rule"),
    [
        ("set/img 1", "set/img%201", "in another spelling"),
        ("set/img%201", "set/img 1", "in another spelling"),
        ("set/img", "set\\img", "in another spelling"),
        ("set/img", "./set//img ", "in another spelling"),
        ("caf\u00e9", "cafe\u0301", "in another spelling"),
        ("a/b/c.jpg", "c.jpg", "in another spelling"),
        ("c.jpg", "a/b/c.jpg", "in another spelling"),
        ("b/c.jpg", r"C:\\data\\b\\c.jpg", "in another spelling"),
        ("b/c.jpg", "https://host/bucket/b/c.jpg", "in another spelling"),
        ("c.JPG", "C.jpg", "in other letters"),
        ("c.jpg", "c", "another extension"),
        ("c.jpg", "c.png", "another extension"),
        ("tile.v1", "tile.v1.tif", "another extension"),
        ("c", "a/C.xml", "another extension"),
        ("000042", "42", "leading zeros"),
        ("42", "000042.jpg", "leading zeros"),
        ("000042", "42.0", "leading zeros"),
    ],
)
def test_a_name_written_otherwise_leads_to_its_image_and_is_counted(
    uid: str, name: str, rule: str
) -> None:
    with pytest.warns(velour.ReadingWarning, match=f"1 names of images .*{rule}"), velour.reading():
        assert found(["other", uid], [name]) == [uid]
    with pytest.raises(BadDataset, match="reading is strict"), velour.reading(strict=True):
        found(["other", uid], [name])


def test_the_longest_common_end_of_a_path_decides() -> None:
    """Of a and b each folder has an image 1; c has none, and its name is nobody's."""
    names = ["x/a/1.jpg", "x/b/1.jpg", "x/c/1.jpg"]
    with pytest.warns(velour.ReadingWarning, match="2 names"), velour.reading():
        assert found(["a/1", "b/1"], names) == ["a/1", "b/1", "-"]


def test_a_name_as_it_stands_leaves_no_image_to_one_written_otherwise() -> None:
    assert found(["val/1.jpg"], ["train/1.jpg", "val/1.jpg", "1", "VAL/1.JPG"]) == [
        "-", "val/1.jpg", "-", "-",
    ]  # fmt: skip


def test_parts_of_names_that_only_look_like_extensions_stay() -> None:
    assert found(["tile.v1"], ["tile.v2", "tile"]) == ["-", "-"]


@pytest.mark.parametrize(
    ("uids", "files", "names", "message"),
    [
        (["a/1", "b/1"], [], ["1"], "'1' may be image 'a/1' or 'b/1'"),
        (["1.jpg", "1.png"], [], ["1"], "'1' may be image '1.jpg' or '1.png'"),
        (["A", "a"], [], ["a.jpg"], "'a.jpg' may be image 'A' or 'a'"),
        (["1", "2"], ["x", "x"], ["x"], r"'x' may be image '1' \('x'\) or '2' \('x'\)"),
        (["1", "2"], ["002.jpg", "001.jpg"], ["0001"], r"'0001' may be image '1' \('002.jpg'\)"),
        (["1"], [], ["a/1.jpg", "b/1.jpg"], "'a/1.jpg' and 'b/1.jpg' both name image '1'"),
        (["1"], ["a"], ["1", "a"], r"'1' and 'a' both name image '1' \('a'\)"),
    ],
)
def test_what_may_be_two_is_refused_naming_both(
    uids: list[str], files: list[str | None], names: list[str], message: str
) -> None:
    with pytest.raises(BadDataset, match=f"^'m.csv': {message}"):
        found(uids, names, files)


def test_predictions_for_no_image_are_refused() -> None:
    images = ImageNames(["a", "b"])
    assert images.find_all(["b", "a", "b"], "'run.csv'", "d") == {"b": 1, "a": 0}
    with pytest.raises(BadDataset, match=r"'c', which is not in dataset 'd' \('a', …\); 2 of 3"):
        images.find_all(["c", "b", "d"], "'run.csv'", "d")


def test_thousands_of_files_of_one_name_are_told_apart_by_their_folders() -> None:
    """In half a second, not the minutes of comparing each with each."""
    folders = range(10_000)
    files = [f"data/{folder}/image.jpg" for folder in folders]
    with velour.reading(announce=lambda report: None):
        names = [f"C:\\x\\{folder}\\IMAGE.png" for folder in folders]
        assert found([str(folder) for folder in folders], names, list(files)) == list(
            map(str, folders)
        )
    strangers = [f"other/{folder}x/image.jpg" for folder in folders]
    assert found(files, files + strangers)[len(files) :] == ["-"] * len(strangers)
