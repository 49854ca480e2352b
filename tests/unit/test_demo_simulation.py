"""The demonstration's simulated fires: what they claim holds for any seed, and is what is drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from velour_integrations.demo.command import THERE, conclusion
from velour_integrations.demo.detectors import DETECTORS, LABELS, detections
from velour_integrations.demo.files import METADATA, TRUTH, write_predictions, write_truth
from velour_integrations.demo.lookouts import HEIGHT, SITES, WIDTH, scenes
from velour_integrations.demo.pictures import picture, write_pictures

import velour_plugin as velour

SEEDS = range(1, 9)


def evaluated(folder: Path, seed: int) -> velour.Store:
    """A store with the three detectors of a seed."""
    made = scenes(seed)
    write_truth(folder, made, seed)
    dataset = velour.read_dataset(folder / TRUTH, name="fires", metadata=folder / METADATA)
    store = velour.open_store(f"sqlite:///{folder / 'fires.db'}")
    for path in write_predictions(folder, made, seed):
        velour.evaluate(dataset.with_predictions(path, path.stem), "object-detection", store=store)
    return store


@pytest.mark.parametrize("seed", SEEDS)
def test_the_winner_changes_with_place_and_night_and_intervals_separate(
    tmp_path: Path, seed: int
) -> None:
    """Whatever the seed: falcon everywhere, owl where the question is."""
    with evaluated(tmp_path, seed) as store:
        for where, winner in ((None, "falcon"), (THERE, "owl")):
            best, *others = velour.rank("mAP", "fires", where=where, store=store)
            assert best.model == winner
            assert best.interval is not None
            for row in others:
                assert row.interval is not None
                assert row.interval[1] < best.interval[0]
        nights = velour.rank("mAP", "fires", where=f"NOT ({THERE})", store=store)
        assert nights[0].model == "falcon"


def test_neither_the_night_nor_the_place_alone_changes_the_winner(tmp_path: Path) -> None:
    with evaluated(tmp_path, 1) as store:
        for where in (
            "time_of_day = 'night' AND region <> 'New England'",
            "time_of_day = 'day' AND region = 'New England'",
        ):
            assert velour.rank("mAP", "fires", where=where, store=store)[0].model == "falcon"


def test_a_conclusion_says_no_more_than_its_leaderboard(tmp_path: Path) -> None:
    with evaluated(tmp_path, 1) as store:

        def sentence(where: str | None) -> str:
            return conclusion(velour.rank("mAP", "fires", where=where, store=store))

        assert sentence(None).startswith("falcon is best: its 95% interval starts at 0.5")
        assert sentence(THERE).startswith("owl is best: its 95% interval starts at 0.6")
        assert sentence("file_name < 'lookout-003.jpg'").endswith(
            " on 3 images, without intervals: nothing is sure."
        )


def test_scenes_are_the_same_for_a_seed_and_lie_where_they_say() -> None:
    made = scenes(3)
    assert made == scenes(3) != scenes(4)
    assert len(made) == 32 * len(SITES)
    assert sum(scene.time_of_day == "night" for scene in made) == len(made) // 2
    for scene in made:
        assert abs(scene.latitude - scene.site.latitude) < 0.05
        assert abs(scene.longitude - scene.site.longitude) < 0.05
        for thing in (*scene.fires, *scene.lures):
            left, top, width, height = thing.box
            assert min(left, top) >= 0 < min(width, height)
            assert left + width <= WIDTH
            assert top + height <= HEIGHT


def test_detectors_find_as_many_fires_as_their_model_says() -> None:
    """The stated chance of every fire, added up, is what is found but for chance: 4 deviations."""
    made = scenes(5)
    for detector in DETECTORS:
        chances = []
        for scene in made:
            skill = detector.skill(scene)
            for thing in scene.fires:
                side = math.sqrt(thing.box[2] * thing.box[3])
                odds = skill.recall / (1 - skill.recall) * math.exp(math.log2(side / 48))
                chances.append(odds / (1 + odds))
            chances += [skill.false_alarms] * len(scene.lures)
        findings = [finding for _, finding in detections(detector, made, 5)]
        every = np.array(chances)
        assert abs(len(findings) - every.sum()) < 4 * math.sqrt((every * (1 - every)).sum())
        assert {finding["label"] for finding in findings} == set(LABELS)
        assert all(0 <= finding["score"] <= 1 for finding in findings)


def test_files_say_that_they_are_simulated_and_by_which_seed(tmp_path: Path) -> None:
    write_truth(tmp_path, scenes(2), 2)
    description = json.loads((tmp_path / TRUTH).read_text())["info"]["description"]
    assert description.startswith("Simulated by velour demo")
    assert description.endswith("Seed 2.")


def test_pictures_are_the_same_for_a_seed_and_their_fires_are_bright_at_night(
    tmp_path: Path,
) -> None:
    made = scenes(1)
    night = next(one for one in made if {thing.kind for thing in one.fires} == {"fire"})
    (path,) = write_pictures(tmp_path, [night], 1)
    first = path.read_bytes()
    assert list(write_pictures(tmp_path, [night], 1)) == [path]
    assert path.read_bytes() == first
    with Image.open(path) as image:
        assert image.size == (WIDTH, HEIGHT)
    canvas = picture(night, 1)
    left, top, width, height = night.fires[0].box
    inside = canvas[top : top + height, left : left + width, 0].mean()
    assert inside > 2 * np.median(canvas[..., 0])


@pytest.mark.parametrize("number", range(6))
def test_every_kind_of_thing_changes_its_box(number: int) -> None:
    """A thing is drawn inside its box: without it the picture differs there."""
    kind = ("smoke", "fire", "fog", "cloud", "lamp", "moon")[number]
    for scene in scenes(1):
        things = [thing for thing in (*scene.fires, *scene.lures) if thing.kind == kind]
        if things:
            break
    bare = replace(scene, fires=(), lures=())
    left, top, width, height = things[0].box
    changed = np.abs(picture(scene, 1) - picture(bare, 1)).max(axis=2) > 8
    assert changed[top : top + height, left : left + width].mean() > 0.2
