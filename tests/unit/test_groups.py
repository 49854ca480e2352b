"""Datums that belong together are resampled and exchanged whole, on data countable by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from velour_evaluators.classification.evaluator import ImageClassification

import velour_plugin as velour
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.queries.query import RankQuery
from velour_plugin.ranking.grouping import Grouping, groups_of
from velour_plugin.ranking.rank_runs import Ranking
from velour_plugin.ranking.uncertainty.bootstrap import measure_all
from velour_plugin.ranking.uncertainty.units import Exchanges, Units
from velour_plugin.store import Store

TASK = "image-classification"
VIDEOS = 8
FRAMES = 5
RIGHT = {"one": (5, 0, 4, 3, 5, 1, 2, 4), "two": (3, 1, 4, 3, 4, 0, 2, 4)}
"""How many frames of each video a model gets right."""


def metadata_of(number: int) -> dict[str, Any]:
    """Of a frame: its video and site, and what tells nothing."""
    video = number // FRAMES
    site = {"id": f"s{video // 2}"}
    return {"video": f"v{video}", "site": site, "frame": number, "camera": "c"}


def dataset_of(model: str, name: str = "frames", known: Any = metadata_of) -> velour.Dataset:
    """Frames of cats and dogs in turn; the first frames of each video are right."""
    numbers = range(VIDEOS * FRAMES)
    truth = ["cat" if number % 2 else "dog" for number in numbers]
    right = [number % FRAMES < RIGHT[model][number // FRAMES] for number in numbers]
    wrong = {"cat": "dog", "dog": "cat"}
    predicted = [label if good else wrong[label] for label, good in zip(truth, right, strict=True)]
    return velour.Dataset.from_arrays(
        name,
        truth,
        predicted,
        model=model,
        uids=[f"f{number:02}" for number in numbers],
        metadata=[known(number) for number in numbers],
    )


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Two classifiers of eight videos with five frames each."""
    with velour.open_store(sqlite_url) as opened:
        for model in RIGHT:
            velour.evaluate(dataset_of(model), TASK, store=opened)
        yield opened


def datums(*known: Mapping[str, Any], places: Sequence[Any] = ()) -> list[velour.Datum]:
    """Datums of some metadata and locations."""
    locations = [*places, *[None] * len(known)]
    return [velour.Datum(f"{at}", each, locations[at]) for at, each in enumerate(known)]


def numbers(names: Sequence[str], *known: Mapping[str, Any], places: Sequence[Any] = ()) -> Any:
    """Numbers of the groups of datums, by their metadata."""
    items = datums(*known, places=places)
    return Grouping.of(items, names, "d").numbers([item.uid for item in items]).tolist()


def test_each_value_of_a_property_is_a_group() -> None:
    assert numbers(["v"], {"v": "b"}, {"v": "a"}, {"v": "b"}) == [0, 1, 0]
    assert numbers(["metadata.v"], {"v": "b"}, {"v": "a"}) == [0, 1]
    assert numbers(["a.b"], {"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 1}}) == [0, 1, 0]
    assert numbers(["v"], {"v": [1]}, {"v": [1]}, {"v": {"x": 1}}) == [0, 0, 1]


def test_values_of_different_types_are_different_groups() -> None:
    assert numbers(["v"], {"v": 1}, {"v": True}, {"v": "1"}, {"v": 1}) == [0, 1, 2, 0]


def test_of_several_properties_each_combination_is_a_group() -> None:
    known = [{"v": "a", "w": 1}, {"v": "a", "w": 2}, {"v": "b", "w": 1}, {"v": "a", "w": 1}]

    assert numbers(["v", "w"], *known) == [0, 1, 2, 0]


def test_a_datum_without_a_value_is_a_group_of_its_own() -> None:
    items = datums({"v": "a"}, {}, {"v": "a"}, {})
    grouping = Grouping.of(items, ["v"], "d")
    groups = groups_of([(grouping, [item.uid for item in items])])

    assert grouping.numbers(["0", "1", "2", "3"]).tolist() == [0, 1, 0, 2]
    assert groups.notes[1] == "2 datums have no v: each is a group of its own."


def test_cells_and_months_are_groups() -> None:
    places = [(42.1, -71.0), (42.4, -71.0), (42.6, -71.0), None]
    moments = [dt.datetime(2024, month, 1, tzinfo=dt.UTC) for month in (1, 2, 1)]

    assert numbers(["location:0.5"], {}, {}, {}, {}, places=places) == [0, 0, 1, 2]
    assert numbers(["at:month"], *({"at": moment} for moment in moments)) == [0, 1, 0]
    assert numbers(["at"], *({"at": moment} for moment in moments)) == [0, 1, 0]


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (["vidoe"], UnknownName, "did you mean 'video'"),
        (["location:0.5"], UnknownName, "unknown property 'location'"),
        (["location:0"], InvalidInput, "0 to 90 degrees"),
        (["video:3"], InvalidInput, "no datum has a number there"),
    ],
)
def test_a_key_that_no_datum_has_is_refused(
    names: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Grouping.of(datums({"video": "a"}, {"video": "b"}), names, "d")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([], "list of at least one"),
        ("", "expected a property"),
        (7, "expected a property"),
        (["none", "video"], "'none' stands alone"),
        ([None], "expected a property"),
        ([["video"]], "expected a property"),
        ({"video": 1}, "expected a property"),
    ],
)
def test_what_is_no_name_is_refused(groups: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        RankQuery(groups=groups)


def test_units_of_some_datums_are_their_groups() -> None:
    units = Units.of_groups([7, 3, 7, 9], [3, 3])

    assert units.of_datum.tolist() == [1, 0, 1, 2, 3, 3]
    assert units.strata.tolist() == [0, 0, 0, 1]
    part = units.among(np.array([True, False, True, False, False, True]))
    assert part.of_datum.tolist() == [0, 0, 1]
    assert part.strata.tolist() == [0, 1]
    assert not part.are_datums


def test_groups_of_one_datum_are_datums() -> None:
    units = Units.of_groups([5, 6, 8])

    assert units.are_datums
    assert_array_equal(units.weights(9, 1), Units.of_datums(3).weights(9, 1))


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_a_resample_is_a_list_of_copies_of_whole_groups(metric: str) -> None:
    """Against brute force: each resample is a dataset with the frames of the drawn videos."""
    dataset = dataset_of("one")
    evaluation = velour.evaluate(dataset, TASK, save=False)
    evaluator = ImageClassification()
    grouping = Grouping.of(dataset.datums, ["video"], "frames")
    units = Units.of_groups(grouping.numbers(dataset.uids))
    subject = (evaluator, evaluation.ledger, np.ones(len(dataset), bool))

    (measured,) = measure_all([subject], 1, metric, None, units=units, resamples=25, seed=3)

    assert measured.share is None  # no Wilson interval of datums that are not independent
    for weights, replicate in zip(units.weights(25, 3), measured.replicates, strict=True):
        of_videos = weights.reshape(VIDEOS, FRAMES)
        assert (of_videos == of_videos[:, :1]).all()
        assert of_videos[:, 0].sum() == VIDEOS
        assert replicate == pytest.approx(measure_copies(dataset, weights, metric))


def measure_copies(dataset: velour.Dataset, weights: Any, metric: str) -> float | None:
    """Evaluate a dataset in which each datum stands as often as its weight says."""
    truths, predictions = [], []
    for truth, predicted, weight in zip(
        dataset.groundtruths, dataset.predicted, weights, strict=True
    ):
        for copy in range(weight):
            datum = velour.Datum(f"{truth.datum.uid}-{copy}")
            truths.append(velour.GroundTruth(datum, truth.annotations))
            predictions.append(velour.Prediction(datum, predicted.annotations))
    copies = velour.Dataset.from_groundtruths(truths, "copies", labels=dataset.labels)
    evaluation = velour.evaluate(copies.with_predictions(predictions, "one"), TASK, save=False)
    return evaluation.value(metric)


def test_a_ranking_by_groups_is_less_sure(store: Store) -> None:
    alone = velour.rank("accuracy", "frames", store=store)
    grouped = velour.rank("accuracy", "frames", groups="video", store=store)

    assert (alone.groups, alone.group_count) == ((), None)
    assert (grouped.groups, grouped.group_count) == (("video",), 8)
    assert [row.value for row in grouped] == [row.value for row in alone] == [0.6, 0.525]
    for wide, narrow in zip(grouped, alone, strict=True):
        assert width(wide.interval) > 1.2 * width(narrow.interval)
    assert "Datums of one video stay together: 40 datums in 8 groups." in grouped.notes


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_groups_of_a_filter_are_those_of_its_datums(store: Store) -> None:
    some = velour.rank("accuracy", "frames", where="frame < 30", groups="video", store=store)
    nested = velour.rank("accuracy", "frames", groups="site.id", resamples=50, store=store)

    assert some.group_count == 6
    assert nested.group_count == 4
    assert nested[0].interval is None
    assert "4 groups are too few to say how sure this is: at least 5 are." in nested.notes


def test_the_key_of_every_datum_changes_nothing(store: Store) -> None:
    alone = velour.rank("accuracy", "frames", resamples=50, store=store)
    each = velour.rank("accuracy", "frames", groups="frame", resamples=50, store=store)

    assert each.rows == alone.rows
    assert each.group_count == 40
    assert "Every datum has its own frame: the groups change nothing." in each.notes


def test_one_group_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"all 40 selected datums of 'frames' are one group"):
        velour.rank("accuracy", "frames", groups="camera", store=store)
    with pytest.raises(InvalidInput, match="groups='none'"):
        velour.slices("one", "video", groups="camera", store=store)
    with pytest.raises(InvalidInput, match="are one group"):
        velour.compare("one", "two", groups="camera", store=store)
    with pytest.raises(InvalidInput, match="are one group"):
        velour.matrix("accuracy", groups="camera", store=store)


def test_a_key_that_is_unknown_is_refused_without_resamples_too(store: Store) -> None:
    with pytest.raises(UnknownName, match="did you mean 'video'"):
        velour.rank("accuracy", "frames", groups="vidio", resamples=0, store=store)


def test_slices_draw_the_groups_that_they_hold(store: Store) -> None:
    half = {"half": {"first": "frame < 25", "second": "frame >= 25"}}
    found = velour.slices("one", half, metric="accuracy", groups="video", store=store)

    assert found.group_count == 8
    assert found[0].interval is not None
    assert found[1].interval is None  # three videos
    board = velour.rank("accuracy", "frames", where="frame < 25", groups="video", store=store)
    assert found[0].interval == next(row.interval for row in board if row.model == "one")


def test_cells_of_a_matrix_draw_groups(store: Store) -> None:
    velour.evaluate(dataset_of("one", "other"), TASK, store=store)
    table = velour.matrix("accuracy", groups="video", store=store)
    board = velour.rank("accuracy", "frames", groups="video", store=store)

    assert (table.groups, table.group_count) == (("video",), 16)
    assert table.cell("one", "frames").interval == board[0].interval
    assert "frames, other: Datums of one video stay together: 40 datums in 8 groups." in table.notes


def test_datasets_are_strata_of_their_groups(store: Store) -> None:
    for model in RIGHT:
        velour.evaluate(dataset_of(model, "other"), TASK, store=store)
    board = velour.rank("accuracy", ["frames", "other"], groups="video", store=store)

    assert board.group_count == 16
    assert width(board[0].interval) < width(
        velour.rank("accuracy", "frames", groups="video", store=store)[0].interval
    )


def test_replicates_of_several_datasets_are_those_of_their_groups(store: Store) -> None:
    """Uids are in natural order, 2 before 10; each dataset draws its own eight videos."""
    frames = np.random.default_rng(0).permutation(VIDEOS * FRAMES)
    videos = {str(at): number // FRAMES for at, number in enumerate(frames.tolist())}
    metadata = [{"video": video} for video in videos.values()]
    right = np.random.default_rng(1).random(len(videos)) < 0.7
    truth, predicted = ["a"] * len(videos), np.where(right, "a", "b").tolist()
    for name in ("p", "q"):
        dataset = velour.Dataset.from_arrays(
            name, truth, predicted, model="m", uids=list(videos), metadata=metadata, labels="ab"
        )
        velour.evaluate(dataset, TASK, store=store)
    query = RankQuery(metric="accuracy", datasets=["p", "q"], groups="video", resamples=30, seed=2)
    with store.snapshot() as reader:
        (measured,) = Ranking(reader, query)._measured()

    right_of = np.bincount(list(videos.values()), right, VIDEOS)
    numbers = np.arange(VIDEOS)
    drawn = Units.of_groups(numbers, numbers).weights(30, 2)
    first_seen = list(dict.fromkeys(videos.values()))
    of_groups = drawn @ np.tile(right_of[first_seen], 2) / (2 * len(videos))
    assert measured.replicates == pytest.approx(of_groups)


def test_exchanges_of_few_groups_are_enumerated() -> None:
    units = Units.of_groups([4, 4, 1, 2])
    exchanges = Exchanges(units, 200, seed=0)

    drawn = exchanges.draw(exchanges.count)

    assert exchanges.are_all
    assert exchanges.least_p == 0.25
    assert len({tuple(row) for row in drawn.tolist()} | {tuple(r) for r in (~drawn).tolist()}) == 6
    assert_array_equal(drawn[:, 0], drawn[:, 1])


def test_exchanges_of_many_groups_are_drawn() -> None:
    chosen = np.array([True] * 20 + [False])
    exchanges = Exchanges(Units.of_groups(np.arange(20) // 2), 100, 0, chosen)

    drawn = exchanges.draw(100)

    assert (exchanges.count, exchanges.are_all) == (100, False)
    assert not drawn[:, 20].any()
    assert_array_equal(drawn[:, 0:20:2], drawn[:, 1:20:2])
    assert 0.4 < drawn[:, :20].mean() < 0.6


def test_p_by_groups_is_that_of_all_their_exchanges(store: Store) -> None:
    """Accuracies differ by the videos' counts: 2, -1, 0, 0, 1, 1, 0, 0 of 40 frames."""
    found = velour.compare("one", "two", metric="accuracy", groups="video", store=store)
    counts = np.array(RIGHT["two"]) - RIGHT["one"]
    sums = [abs(np.dot(signs, counts)) for signs in product([1, -1], repeat=VIDEOS)]

    assert found.group_count == VIDEOS
    assert found[0].p == pytest.approx(np.mean(np.array(sums) >= abs(counts.sum())))
    assert not any("McNemar" in note for note in found.notes)


def test_too_few_groups_say_which_p_they_can_reach(store: Store) -> None:
    found = velour.compare("one", "two", metric="accuracy", groups="site.id", store=store)

    assert found[0].p is not None
    assert found[0].p >= 0.125
    assert any("no p is below 0.125" in note for note in found.notes)


def test_independent_datums_can_be_stated(store: Store) -> None:
    stated = velour.rank("accuracy", "frames", groups="none", resamples=50, store=store)

    assert stated.rows == velour.rank("accuracy", "frames", resamples=50, store=store).rows
    assert stated.groups == ()


def test_answers_by_groups_go_through_json(store: Store) -> None:
    for answer in (
        velour.rank("accuracy", "frames", groups="video", resamples=20, store=store),
        velour.compare("one", "two", groups=["video", "site.id"], permutations=9, store=store),
        velour.slices("one", "video", groups="video", resamples=20, store=store),
        velour.matrix("accuracy", groups="video", resamples=20, store=store),
    ):
        content = answer.to_dict()
        assert content["group_count"] == 8
        assert type(answer).from_dict(content) == answer


def test_the_worst_groups_are_left_out_whole(store: Store) -> None:
    """Without video 1, of which none is right, 24 of 35 frames are: 0.0857 more than 24 of 40."""
    found = velour.worst("one", 3, metric="accuracy", groups="video", store=store)
    worst = found[0]

    assert (worst.uid, worst.metadata, worst.datums) == ("video=v1", {"video": "v1"}, 5)
    assert worst.cost == pytest.approx(24 / 35 - 24 / 40)
    assert (found.groups, found.group_count) == (("video",), 8)
    assert [row.uid for row in found] == ["video=v1", "video=v5", "video=v6"]
    assert "would be without the group" in str(found)
    assert type(found).from_dict(found.to_dict()) == found


def test_a_datum_without_a_group_is_left_out_alone(sqlite_url: str) -> None:
    def known(number: int) -> dict[str, Any]:
        return {} if number == 7 else metadata_of(number)

    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset_of("one", known=known), TASK, store=opened)
        found = velour.worst("one", 9, metric="accuracy", groups="video", store=opened)

    assert {row.uid: row.datums for row in found}["f07"] == 1
    assert found.group_count == 9


def test_declared_groups_are_used_and_named(sqlite_url: str) -> None:
    with velour.open_store(sqlite_url) as opened:
        for model in RIGHT:
            dataset = dataset_of(model).with_groups("video")
            assert velour.evaluate(dataset, TASK, store=opened).certificate.groups == ("video",)
        declared = velour.rank("accuracy", "frames", resamples=50, store=opened)
        named = velour.rank("accuracy", "frames", groups="video", resamples=50, store=opened)
        stated = velour.rank("accuracy", "frames", groups="none", resamples=50, store=opened)
        compared = velour.compare("one", "two", metric="accuracy", store=opened)
        worst = velour.worst("one", metric="accuracy", store=opened)

    assert declared.rows == named.rows
    assert declared.groups == ("video",)
    assert stated.groups == ()
    assert compared.group_count == 8
    assert worst.groups == ()


def test_declared_groups_of_one_value_give_no_interval(sqlite_url: str) -> None:
    """A filter on one video is no mistake where nobody named groups."""
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset_of("one").with_groups("video"), TASK, store=opened)
        board = velour.rank("accuracy", "frames", where="video = 'v3'", store=opened)

    assert board[0].interval is None
    assert "1 group is too few to say how sure this is: at least 5 are." in board.notes


def test_a_declaration_is_no_content() -> None:
    plain, declared = dataset_of("one"), dataset_of("one").with_groups(["video", "camera"])

    assert declared.groups == ("video", "camera")
    assert declared.digest == plain.digest
    assert declared.with_model("x").subset(np.arange(40) < 5).groups == ("video", "camera")
    assert declared.with_groups(()).groups == ()


def test_every_way_to_make_a_dataset_takes_groups() -> None:
    builder = velour.build_dataset("d", groups="v")
    builder.add_groundtruth(velour.GroundTruth(velour.Datum("1", {"v": 1}), []))
    image = np.zeros((2, 2), int)
    truths = [velour.GroundTruth(velour.Datum("1", {"v": 1}), [])]
    for dataset in (
        builder.finalize(),
        velour.Dataset.from_groundtruths(truths, "d", groups=["v"]),
        velour.Dataset.from_arrays("d", ["a"], metadata=[{"v": 1}], groups="v"),
        velour.Dataset.from_label_images(
            "d", [image], labels=["a"], metadata=[{"v": 1}], groups="v"
        ),
    ):
        assert dataset.groups == ("v",)


def test_a_declaration_of_what_no_datum_has_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'video'"):
        dataset_of("one").with_groups("vidoe")
    for name in ("location:1", "site.name", "camera.id"):
        with pytest.raises(UnknownName, match=name):
            dataset_of("one").with_groups(name)
    with pytest.raises(InvalidInput, match="expected a property"):
        dataset_of("one").with_groups([])
    assert dataset_of("one").with_groups("none").groups == ("none",)


def test_metadata_that_looks_like_groups_brings_one_note(store: Store) -> None:
    for answer in (
        velour.rank("accuracy", "frames", resamples=5, store=store),
        velour.slices("one", "video", resamples=5, store=store),
        velour.compare("one", "two", permutations=5, store=store),
        velour.matrix("accuracy", resamples=5, store=store),
        velour.recommend("accuracy", resamples=5, store=store),
    ):
        notes = [note for note in answer.notes if "Datums share values" in note]
        assert len(notes) == 1
        assert "groups='video' (--groups video)" in notes[0]
    for options in ({"groups": "none"}, {"groups": "site.id"}, {"resamples": 0}):
        board = velour.rank("accuracy", "frames", **{"resamples": 5, **options}, store=store)
        assert not any("Datums share values" in note for note in board.notes)


@pytest.mark.parametrize(
    ("name", "value", "is_likely"),
    [
        ("video_id", lambda number: number // 4, True),
        ("patientID", lambda number: f"p{number // 4}", True),
        ("scene", lambda number: number, False),  # each its own
        ("scene", lambda number: 1, False),  # one of all
        ("scene", lambda number: number * 3 // 4, False),  # most of their own
        ("city", lambda number: number // 4, False),
        ("site", lambda number: {"id": number // 4}, False),
    ],
)
def test_only_names_of_sources_whose_values_repeat_bring_it(
    sqlite_url: str, name: str, value: Any, is_likely: bool
) -> None:
    dataset = dataset_of("one", known=lambda number: {name: value(number)})
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset, TASK, store=opened)
        board = velour.rank("accuracy", "frames", resamples=5, store=opened)

    assert any("Datums share values" in note for note in board.notes) == is_likely


@pytest.mark.parametrize("is_shuffled", [True, False])
def test_of_many_datums_the_ends_are_looked_at(sqlite_url: str, is_shuffled: bool) -> None:
    videos = np.arange(2_000) // 2
    if is_shuffled:
        videos = np.random.default_rng(0).permutation(videos)
    truth = ["cat", "dog"] * 1_000
    dataset = velour.Dataset.from_arrays(
        "d", truth, truth, model="m", metadata=[{"video": int(video)} for video in videos]
    )
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset, TASK, store=opened)
        assert len(opened.datums(opened.versions("d")[0], 100)) == 200
        board = velour.rank("accuracy", "d", resamples=5, store=opened)

    assert any("Datums share values" in note for note in board.notes)


def test_a_recommendation_passes_groups_on(store: Store) -> None:
    found = velour.recommend("accuracy", groups="video", resamples=20, store=store)

    assert (found.groups, found.group_count) == (("video",), 8)
    assert found.boards["frames"].groups == ("video",)


def test_declared_groups_are_stored_with_the_first_evaluation(sqlite_url: str) -> None:
    """Without a store that is open: a new file, and a snapshot in text statements."""
    for model in RIGHT:
        velour.evaluate(dataset_of(model).with_groups("video"), TASK, store=sqlite_url)
    board = velour.rank("accuracy", "frames", resamples=50, store=sqlite_url)

    assert (board.groups, board.group_count) == (("video",), 8)
    with velour.open_store(sqlite_url) as opened:
        assert opened.load_dataset("frames").groups == ("video",)
        assert opened.candidates("frames")[0].certificate.groups == ["video"]


def test_partitions_keep_what_is_declared(sqlite_url: str, tmp_path: Path) -> None:
    dataset = dataset_of("one").with_groups("video")
    parts = [dataset.subset(np.arange(40) < 20), dataset.subset(np.arange(40) >= 20)]
    written = velour.PartitionedDataset.write(tmp_path / "parts", parts)

    assert velour.PartitionedDataset(tmp_path / "parts").groups == ("video",)
    evaluation = velour.evaluate(written, TASK, store=sqlite_url)
    assert evaluation.certificate.groups == ("video",)
    assert velour.rank("accuracy", "frames", resamples=5, store=sqlite_url).groups == ("video",)


def test_declared_groups_that_datums_no_longer_have_are_left_with_a_note(sqlite_url: str) -> None:
    dataset = dataset_of("one", known=lambda number: {"video": "v"} if number < 5 else {})
    part = dataset.with_groups("video").subset(np.arange(40) >= 5)
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(part, TASK, store=opened)
        board = velour.rank("accuracy", "frames", resamples=5, store=opened)

    assert board.groups == ()
    assert any("not in groups by video as declared" in note for note in board.notes)


def test_metadata_of_the_name_location_is_named_in_full(sqlite_url: str) -> None:
    dataset = dataset_of("one", known=lambda number: {"location": f"town {number // 5}"})
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset, TASK, store=opened)
        board = velour.rank("accuracy", "frames", resamples=5, store=opened)
        grouped = velour.rank(
            "accuracy", "frames", groups="metadata.location", resamples=5, store=opened
        )

    assert any("groups='metadata.location'" in note for note in board.notes)
    assert grouped.group_count == 8
