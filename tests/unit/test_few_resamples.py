"""Resamples that are too few for a confidence are noted."""

from __future__ import annotations

from pathlib import Path

import pytest

import velour_plugin as velour
from tests.pictures import harbour, predicted
from velour_plugin.ranking.notes import on_few_resamples


@pytest.mark.parametrize(
    ("resamples", "confidence", "least"),
    [(39, 0.95, 40), (1, 0.5, 4), (199, 0.99, 200), (19, 0.9, 20)],
)
def test_each_tail_of_the_resamples_needs_one(
    resamples: int, confidence: float, least: int
) -> None:
    (note,) = on_few_resamples(resamples, confidence)
    assert note.startswith(f"{resamples} resamples are too few")
    assert f"at least {least} are needed" in note
    assert on_few_resamples(least, confidence) == []
    assert on_few_resamples(0, confidence) == []


def test_every_answer_with_intervals_says_so(tmp_path: Path) -> None:
    with velour.open_store(f"sqlite:///{tmp_path / 'velour.db'}") as store:
        velour.evaluate(predicted(harbour(), "small"), "object-detection", store=store)
        notes = [
            velour.rank("mAP", "harbour", resamples=20, store=store).notes,
            velour.matrix("mAP", resamples=20, store=store).notes,
            velour.slices("small", by="port", resamples=20, store=store).notes,
            velour.recommend("mAP", resamples=20, store=store).notes,
        ]
    assert all(any("20 resamples are too few" in note for note in each) for each in notes)
