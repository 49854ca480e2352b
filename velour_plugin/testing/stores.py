"""What every store must keep, SQL or another.

Subclass it in a test module, say how an empty store is opened, and pytest runs it all::

    from velour_plugin.testing.stores import StoreContract

    class TestMyStore(StoreContract):
        @contextmanager
        def empty(self, tmp_path):
            with MyStore(tmp_path) as store:
                yield store

It needs an evaluator of the task ``object-detection``, as ``velour_evaluators`` has.
"""

# ruff: noqa: D102 - the name of a test is its sentence
from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.errors import InvalidInput, NotFound, NothingSelected, UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.queries.query import (
    CompareQuery,
    MatchesQuery,
    MatrixQuery,
    PlanQuery,
    Query,
    RankQuery,
    SliceQuery,
    ThresholdQuery,
    WorstQuery,
)
from velour_plugin.store import RunState, Store

TASK = "object-detection"
HOURS = {"2": 23, "10": 12, "20": 22, "roof": 9, "a": 1, "b": 2}
BOX = velour.BoundingBox(0, 0, 10, 10)


def truth_of(uid: str, count: int = 1) -> velour.GroundTruth:
    """Make the ground truth of an image: an hour, maybe a location, and ``count`` fires."""
    datum = velour.Datum(uid, {"hour": HOURS[uid]}, (42.36, -71.03) if uid == "2" else None)
    fire = velour.Annotation([velour.Label("class", "fire")], BOX)
    return velour.GroundTruth(datum, [fire] * count)


def fires(
    detected: Sequence[str] = (), model: str = "model", name: str = "fires"
) -> velour.Dataset:
    """Make a dataset of six images with a fire each; a model found those in ``detected``."""
    fire = velour.Annotation([velour.Label("class", "fire", 0.9)], BOX)
    predictions = [velour.Prediction(velour.Datum(uid), [fire]) for uid in detected]
    truths = [truth_of(uid) for uid in HOURS]
    dataset = velour.Dataset.from_groundtruths(truths, name, {"sensor": "infrared"})
    return dataset.with_predictions(predictions, model)


class StoreContract:
    """Tests that every store must pass: subclass it and open an empty store."""

    @abstractmethod
    def empty(self, tmp_path: Path) -> AbstractContextManager[Store]:
        """Open a store with nothing in it, for one test."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with self.empty(tmp_path) as store:
            yield store

    def save(
        self, store: Store, dataset: velour.Dataset, run: velour.EvaluatedRun | None = None
    ) -> velour.Evaluation:
        """Evaluate a dataset, save the evaluation in the store and return it."""
        evaluation = velour.evaluate(dataset, TASK, run=run, save=False)
        store.save(evaluation, dataset)
        return evaluation

    def test_it_is_a_store(self, store: Store) -> None:
        assert isinstance(store, Store)
        assert store.display_url

    # Datasets

    def test_a_dataset_comes_back_with_its_digest(self, store: Store) -> None:
        version = store.save_dataset(fires())
        back = store.load_dataset("fires")
        assert (version.dataset, version.number, version.datums) == ("fires", 1, 6)
        assert back.digest == version.digest == fires().digest
        assert store.load_version(version).digest == version.digest
        assert [datum.metadata["hour"] for datum in store.datums(version)] == [
            HOURS[uid] for uid in back.uids
        ]

    def test_equal_content_is_one_version(self, store: Store) -> None:
        first, second = store.save_dataset(fires()), store.save_dataset(fires(["2"]))
        assert first == second
        assert [version.number for version in store.versions("fires")] == [1]

    def test_added_datums_make_the_next_version(self, store: Store) -> None:
        store.save_dataset(fires())
        addition = velour.Dataset.from_groundtruths([truth_of("2", 2)], "fires")
        version = store.add_datums(addition)
        assert (version.number, version.datums) == (2, 6)
        assert [known.number for known in store.versions("fires")] == [2, 1]
        difference = store.diff("fires", 1, 2)
        assert (difference.changed, difference.unchanged) == (("2",), 5)
        assert len(store.datum_digests(version)) == 6

    def test_declared_groups_are_kept_and_are_no_content(self, store: Store) -> None:
        plain = store.save_dataset(fires())
        declared = store.save_dataset(fires().with_groups("hour"))
        assert (plain.number, plain.groups) == (1, ())
        assert (declared.number, declared.digest) == (1, plain.digest)
        assert declared.groups == ("hour",)
        store.save_dataset(fires())  # who says nothing takes nothing back
        (version,) = store.versions("fires")
        assert version.groups == ("hour",)
        assert store.load_dataset("fires").groups == ("hour",)
        addition = velour.Dataset.from_groundtruths([truth_of("2", 2)], "fires")
        assert store.add_datums(addition).groups == ("hour",)

    def test_declared_groups_are_resampled_unless_others_are_named(self, store: Store) -> None:
        before = self.save(store, fires(["2", "10"]))
        after = self.save(store, fires(["2", "10", "a"], "other").with_groups("location:1"))
        (first, second) = store.candidates("fires")
        assert first.version.groups == second.version.groups == ("location:1",)
        assert {tuple(item.certificate.groups) for item in (first, second)} == {
            (),
            ("location:1",),
        }
        assert not before.certificate.differences(after.certificate)
        for groups, expected in ((None, ("location:1",)), ("none", ()), ("hour", ("hour",))):
            board = velour.rank("mAP", "fires", groups=groups, resamples=20, store=store)
            assert tuple(board.groups) == expected
            assert board.group_count == (6 if expected else None)

    def test_what_does_not_exist_is_named(self, store: Store) -> None:
        store.save_dataset(fires())
        assert store.dataset_names() == ["fires"]
        for ask in (store.versions, store.load_dataset, store.candidates, store.facts):
            with pytest.raises(UnknownName, match="did you mean 'fires'"):
                ask("fire")
        with pytest.raises(NotFound, match="versions 1 to 1"):
            store.load_dataset("fires", 7)
        with pytest.raises(UnknownName):
            store.evaluations_of("nobody")
        with pytest.raises(NotFound):
            store.load("nobody")
        with pytest.raises(NotFound):
            store.ledgers(["nobody"])
        with pytest.raises(NotFound, match="no evaluation 'nope'"):
            store.link_run("nope", velour.EvaluatedRun("r1"))

    def test_a_filter_selects_datums_in_order(self, store: Store) -> None:
        version = store.save_dataset(fires())
        whole = store.select_datums(version, None)
        night = store.select_datums(version, parse_filter("hour >= 20"))
        assert list(whole.uids) == list(fires().uids)
        assert list(night.uids) == [uid for uid in fires().uids if HOURS[uid] >= 20]
        assert night.mask(fires().uids).tolist() == [HOURS[uid] >= 20 for uid in fires().uids]
        near = parse_filter("DWITHIN(location, POINT(-71.03 42.36), 1, 'km')")
        assert list(store.select_datums(version, near).uids) == ["2"]
        with pytest.raises(UnknownName, match="hour"):
            store.select_datums(version, parse_filter("hours >= 20"))

    # Evaluations

    def test_an_evaluation_comes_back_to_the_bit(self, store: Store) -> None:
        saved = self.save(store, fires(["2", "10"]), velour.EvaluatedRun("r1", "named", "0"))
        back = store.load(saved.id)
        assert back.metrics == saved.metrics
        assert back.certificate == saved.certificate
        assert back.run == saved.run
        (ledger,) = store.ledgers([saved.id])
        assert ledger.datums == saved.ledger.datums
        assert ledger.tables.keys() == saved.ledger.tables.keys()
        for name, columns in saved.ledger.tables.items():
            for column, values in columns.items():
                np.testing.assert_array_equal(ledger.tables[name][column], values)
        predictions = store.load_predictions(saved.id)
        again = fires().with_predictions(predictions, "model")
        assert again.predictions_digest == fires(["2", "10"]).predictions_digest

    def test_details_are_those_of_the_evaluation_whenever_they_are_looked_at(
        self, store: Store
    ) -> None:
        """Before and after saving, from the store once and again, by a snapshot as well."""
        looked_at = velour.evaluate(fires(["2"], "first"), TASK, save=False)
        expected = {"first": list(looked_at.metrics)}
        store.save(looked_at, fires(["2"], "first"))
        saved = self.save(store, fires(["2", "10"], "second"))
        with store.snapshot() as reader:
            expected["second"] = list(reader.load(saved.id).metrics)
        assert expected["second"] == list(saved.metrics)
        for item in 2 * store.candidates("fires"):
            back = store.load(item.evaluation_id)
            assert back.metrics == expected[item.model]
            assert len(back.metrics) > len(back.measured)
            assert back.measured == tuple(expected[item.model][: len(back.measured)])

    def test_what_was_saved_with_its_details_keeps_them(self, store: Store) -> None:
        """Metrics that were saved as a plain list come back as they are, nothing is computed."""
        evaluation = velour.evaluate(fires(["2"]), TASK, save=False)
        metrics = [*evaluation.metrics, velour.Metric("further", 0.25)]
        store.save(replace(evaluation, metrics=metrics), fires(["2"]))
        assert store.load(evaluation.id).metrics == metrics

    def test_predictions_are_read_on_some_datums(self, store: Store) -> None:
        """As of the whole without the others, also when the reader was released before."""
        numbers = [self.save(store, fires(uids)).id for uids in (["2", "10"], ["10", "roof"])]
        whole = fires().uids
        chosen = np.array([uid in ("10", "20") for uid in whole])
        with store.snapshot() as reader:
            some = reader.predictions([(number, ("10", "20")) for number in numbers])
            reader.release()
            for number, table in zip(numbers, some, strict=True):
                expected = store.load_predictions(number).on_datums(chosen)
                assert table.labels == expected.labels
                for name in ("datum", "annotation", "label", "score", "box", "area", "crowd"):
                    np.testing.assert_array_equal(getattr(table, name), getattr(expected, name))
        with pytest.raises(NotFound, match="no evaluation 'nobody'"):
            store.predictions([(numbers[0], whole), ("nobody", whole)])

    def test_candidates_are_found_by_every_name(self, store: Store) -> None:
        saved = self.save(store, fires(["2"]), velour.EvaluatedRun("r1", "named", "0"))
        (candidate,) = store.candidates("fires")
        assert (candidate.evaluation_id, candidate.model) == (saved.id, "model")
        assert candidate.version == store.versions("fires")[0]
        assert candidate.dataset_metadata == {"sensor": "infrared"}
        for name in (saved.id, "r1", "named", "model"):
            assert [item.evaluation_id for item in store.evaluations_of(name)] == [saved.id]

    def test_an_evaluation_belongs_to_every_run_that_is_linked(self, store: Store) -> None:
        saved = self.save(store, fires(["2"]), velour.EvaluatedRun("r1", "first", "0"))
        store.link_run(saved.id, velour.EvaluatedRun("r2", "second", "1"))
        runs = {item.run.run_id for item in store.candidates("fires") if item.run is not None}
        assert runs == {"r1", "r2"}

    def test_the_state_of_a_run_is_that_of_the_tracker(self, store: Store) -> None:
        self.save(store, fires(["2"]), velour.EvaluatedRun("r1", "first", "0"))
        now = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
        before = store.revision(["fires"])
        store.save_run_states([RunState("r1", "renamed", True, now), RunState("x", "", True, now)])
        (candidate,) = store.candidates("fires")
        assert candidate.run == velour.EvaluatedRun("r1", "renamed", "0")
        assert (candidate.run_is_deleted, candidate.run_checked_at) == (True, now)
        assert store.revision(["fires"]) > before

    def test_what_readers_noted_is_kept_beside_the_content(self, store: Store) -> None:
        reports = [velour.ReadingReport({"images": count}) for count in (1, 2, 3)]
        for report in reports[:2]:
            version = store.save_dataset(replace(fires(), reading=report))
            assert store.reading(version) == report
        noted = replace(fires(["2"]), predictions_reading=reports[2])
        saved = self.save(store, noted)
        assert store.predictions_reading(saved.id) == reports[2]
        assert store.reading(version) == reports[1]  # the last that there was

    def test_metrics_are_found_by_name_and_label(self, store: Store) -> None:
        saved = self.save(store, fires(["2", "10", "20"]))
        label = velour.Label("class", "fire")
        assert store.metric_values([saved.id], "mAR_100") == {saved.id: 0.5}
        assert store.metric_values([saved.id], "AR_100", label) == {saved.id: 0.5}
        assert store.metric_values([saved.id], "AR_100") == {}
        assert {"mAP", "AP"} <= store.metric_names([saved.id])
        assert store.metric_labels([saved.id], "AP") == {("class", "fire")}

    # Facts and models

    def test_facts_are_beside_content_and_filters_ask_for_them(self, store: Store) -> None:
        version = store.save_dataset(fires())
        blur = {"2": 0.1, "10": 0.9}
        assert store.write_facts("fires", velour.Facts("quality", "1", {"blur": blur})) == 2
        assert store.facts("fires")["10"] == {"fact.quality.blur": 0.9}
        blurred = parse_filter("fact.quality.blur > 0.5")
        assert list(store.select_datums(version, blurred).uids) == ["10"]
        assert store.load_dataset("fires").digest == version.digest
        assert store.delete_facts("fires", "quality") == 2
        assert "10" not in store.facts("fires")

    def test_what_is_refused_writes_nothing(self, store: Store) -> None:
        """A datum that is not there, or a source, is named; facts and tags stay as they were."""
        store.save_dataset(fires())
        store.write_facts("fires", velour.Facts("quality", "1", {"blur": {"2": 0.1}}))
        before, revision = store.facts("fires"), store.revision()
        with pytest.raises(UnknownName, match="'11'"):
            store.write_facts("fires", velour.Facts("quality", "2", {"blur": {"2": 1, "11": 1}}))
        with pytest.raises(UnknownName, match="'11'"):
            store.tag("fires", "night", uids=["2", "11"])
        with pytest.raises(UnknownName, match="did you mean 'quality'"):
            store.delete_facts("fires", "qualty")
        assert (store.facts("fires"), store.revision()) == (before, revision)

    def test_tags_are_put_on_and_taken_off(self, store: Store) -> None:
        version = store.save_dataset(fires())
        assert store.tag("fires", "night", where="hour >= 20") == 2
        tagged = parse_filter("'night' IN (fact.tags)")
        assert set(store.select_datums(version, tagged).uids) == {"2", "20"}
        assert store.untag("fires", "night", uids=["2"]) == 1
        assert list(store.select_datums(version, tagged).uids) == ["20"]

    def test_models_are_described(self, store: Store) -> None:
        model = velour.Model("swin", {"backbone": "swin-t"})
        store.save_model(model)
        assert store.models() == [store.load_model("swin")] == [model]
        with pytest.raises(UnknownName, match="did you mean 'swin'"):
            store.load_model("swim")

    # Moments and revisions

    def test_every_write_that_can_change_an_answer_has_a_later_revision(self, store: Store) -> None:
        revisions = [store.revision()]
        saved = self.save(store, fires(["2"]))
        revisions.append(store.revision())
        for write in (
            lambda: store.link_run(saved.id, velour.EvaluatedRun("r2")),
            lambda: store.add_datums(velour.Dataset.from_groundtruths([truth_of("a", 3)], "fires")),
            lambda: store.write_facts("fires", velour.Facts("q", "1", {"x": {"2": 1}})),
            lambda: store.delete_facts("fires", "q"),
            lambda: store.tag("fires", "seen"),
            lambda: store.untag("fires", "seen"),
            lambda: store.save_model(velour.Model("model", {"size": 1})),
        ):
            write()
            revisions.append(store.revision(["fires"]))
        assert revisions == sorted(set(revisions))

    def test_an_answer_is_kept_while_its_revision_is(self, store: Store) -> None:
        self.save(store, fires(["2"]))
        revision, nothing = store.cached_answer("key", ["fires"])
        assert (revision, nothing) == (store.revision(["fires"]), None)
        store.keep_answer("key", revision, {"answer": [1, None, 0.5]})
        assert store.cached_answer("key", ["fires"]) == (revision, {"answer": [1, None, 0.5]})
        self.save(store, fires(["10"]))
        assert store.cached_answer("key", ["fires"]) == (store.revision(["fires"]), None)

    def test_a_released_snapshot_holds_up_no_writer(self, store: Store) -> None:
        saved = self.save(store, fires(["2"]))
        with store.snapshot() as reader:
            before = reader.revision()
            ledgers = reader.ledgers([saved.id])
            reader.release()
            self.save(store, fires(["10"]))
            assert next(ledgers).datums == saved.ledger.datums
            assert reader.revision() > before

    # Questions

    def test_questions_are_answered_and_answered_again(self, store: Store) -> None:
        self.save(store, fires(["2", "10"], "first"))
        self.save(store, fires(["2", "10", "20"], "second"))
        queries: list[Query[Any]] = [
            RankQuery(metric="mAR_100", datasets="fires", where="hour >= 1", resamples=20),
            MatrixQuery(metric="mAR_100", resamples=20),
            SliceQuery(run="first", by="hour", resamples=0),
            CompareQuery(baseline="first", candidate="second", permutations=9),
            PlanQuery(run="first", metric="mAR_100", by="hour", resamples=20),
            PlanQuery(run="first", against="second", metric="mAR_100", detect=0.1, resamples=20),
            WorstQuery(run="first"),
            MatchesQuery(run="first", n=3),
            ThresholdQuery(run="first", f1=True),
        ]
        for query in queries:
            answer = store.ask(query)
            assert type(answer).from_dict(answer.to_dict()) == answer
            assert store.ask(query) == answer, query
        board = store.ask(RankQuery(metric="mAR_100", datasets=["fires"]))
        assert [row.model for row in board] == ["second", "first"]
        assert [row.value for row in board] == pytest.approx([1 / 2, 1 / 3])

    def test_runs_are_ranked_by_details(self, store: Store) -> None:
        """Those that were computed as those that an older Velour stored."""
        label = velour.Label("class", "fire")
        saved = self.save(store, fires(["2", "10"], "first"))
        older = velour.evaluate(fires(["2"], "second"), TASK, save=False)
        store.save(replace(older, metrics=list(older.metrics)), fires(["2"], "second"))
        expected = {one.model: one.value("oLRP") for one in (saved, older)}
        best = {one.model: one.value("best_f1", label=label) for one in (saved, older)}
        for where in (None, "hour >= 1"):
            fields: dict[str, Any] = {"datasets": "fires", "where": where, "resamples": 0}
            board = store.ask(RankQuery(metric="oLRP", columns=["ece"], **fields))
            assert {row.model: row.value for row in board} == expected
            assert {row.model: row.columns["ece"] for row in board} == {
                one.model: one.value("ece") for one in (saved, older)
            }
            board = store.ask(RankQuery(metric="best_f1", label=label.name, **fields))
            assert {row.model: row.value for row in board} == best
            board = store.ask(
                RankQuery(metric="mAP", columns=["oLRP"], having="oLRP < 0.7", **fields)
            )
            assert [row.model for row in board] == ["first"]

    def test_a_metric_that_no_run_has_is_named(self, store: Store) -> None:
        """The nearest is, of what is measured and of details."""
        self.save(store, fires(["2", "10"]))
        fields: dict[str, Any] = {"datasets": "fires", "resamples": 0}
        for parameters in ({}, {"label_map": {"fire": "flame"}}):
            with pytest.raises(UnknownName, match="did you mean 'oLRP'"):
                store.ask(RankQuery(metric="oLPR", parameters=parameters, **fields))
        with pytest.raises(UnknownName, match="did you mean 'fire'"):
            store.ask(RankQuery(metric="best_f1", label="fira", **fields))
        with pytest.raises(InvalidInput, match="about all labels"):
            store.ask(RankQuery(metric="ece", label="fire", **fields))

    def test_what_is_written_changes_the_answer(self, store: Store) -> None:
        """Tags, metadata of models and evaluations are seen by the next question."""
        self.save(store, fires(["2"], "first"))
        query = RankQuery(
            metric="mAR_100", datasets="fires", where="'seen' IN (fact.tags)",
            columns=["model.metadata.size"], resamples=0,
        )  # fmt: skip
        store.save_model(velour.Model("first", {"size": 5}))
        with pytest.raises(NothingSelected):
            store.ask(query)
        store.tag("fires", "seen", uids=["2", "10"])
        store.save_model(velour.Model("first", {"size": 7}))
        board = store.ask(query)
        assert (board.datums, board[0].value) == (2, 0.5)
        assert board[0].columns == {"model.metadata.size": 7}
        self.save(store, fires(["2", "10"], "second"))
        assert [row.model for row in store.ask(query)] == ["second", "first"]
