"""Reading reports: notes of readers are gathered, shown once, refused when reading is strict."""

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import note_read, note_repaired, note_skipped, note_unmatched


def read_scores() -> None:
    note_read("predictions", 3)
    note_repaired("scores above 1 by rounding, set to 1", "'run.json', result number 2")


def test_a_report_counts_what_was_read_and_names_the_first_of_a_rule() -> None:
    with velour.reading(announce=lambda report: None) as log:
        for number in range(7):
            note_unmatched("metadata records that name no image", f"'{number}.jpg'")
        note_skipped("empty rings", "'truth.json', annotation number 1", count=2)
        note_read("images", 1)
        note_read("images", 5)
    assert str(log.report) == (
        "read: 6 images\n"
        "skipped: 2 empty rings ('truth.json', annotation number 1, …)\n"
        "unmatched: 7 metadata records that name no image "
        "('0.jpg', '1.jpg', '2.jpg', '3.jpg', '4.jpg', …)"
    )
    assert not log.report.is_clean


def read_in_blocks(times: int = 2, strict: bool = False) -> velour.ReadingReport:
    with velour.reading(strict) as log:
        for _ in range(times):
            with velour.reading():
                read_scores()
    return log.report


def test_the_outermost_block_shows_what_all_noted() -> None:
    with pytest.warns(velour.ReadingWarning, match="2 scores above 1 by rounding") as caught:
        report = read_in_blocks()
    assert len(caught) == 1
    assert report.read == {"predictions": 6}


def test_what_was_read_as_written_is_not_shown() -> None:
    with velour.reading() as log:
        note_read("images", 2)
        note_repaired("scores", "'a'", count=0)
    assert log.report.is_clean
    assert str(log.report) == "read: 2 images"


def test_a_strict_block_refuses_in_blocks_inside_it() -> None:
    with pytest.raises(BadDataset, match=r"result number 2: 1 scores above 1.*reading is strict"):
        read_in_blocks(strict=True)
    with pytest.warns(velour.ReadingWarning):  # the next block is not strict
        read_in_blocks()


def read_and_fail() -> None:
    with velour.reading():
        read_scores()
        raise BadDataset("no")


def test_an_error_leaves_the_notes_that_came_before_to_the_outer_block() -> None:
    with (
        velour.reading(announce=lambda report: None) as log,
        pytest.raises(BadDataset, match="no"),
    ):
        read_and_fail()
    assert log.report.repaired[0].count == 1


def test_outside_of_a_block_notes_go_nowhere() -> None:
    read_scores()


def test_a_report_goes_through_json_and_back() -> None:
    with velour.reading(announce=lambda report: None) as log:
        read_scores()
    assert velour.ReadingReport.from_dict(log.report.to_dict()) == log.report
