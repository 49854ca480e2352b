"""Every hook of Velour: the contract with plugins.

A plugin is a module, or any object, named by an entry point of the group ``velour``::

    [project.entry-points.velour]
    my-plugin = "my_package.velour"

In it, functions marked with ``velour_plugin.hookimpl`` implement the hooks below. Velour
finds plugins when it first needs one; importing a plugin should be quick, so import
heavy libraries inside the functions that use them. The names that plugins import of Velour are
in :mod:`velour_plugin.plugin`.

Hooks are pluggy's: an implementation may leave out arguments that it does not need, ask for
``tryfirst`` or ``trylast``, and wrap the others (``hookimpl(wrapper=True)``). A wrapper of a hook
that collects or announces runs around each plugin's call. A name that is none of these hooks is
refused at start; mark it ``hookimpl(optionalhook=True)`` if it is a hook of a newer Velour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from velour_plugin.contracts.autologger import Autologger
    from velour_plugin.contracts.formats import Format
    from velour_plugin.contracts.offers import Offer
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.evaluator import Evaluator
    from velour_plugin.filters.properties import PropertyFamily
    from velour_plugin.store import RunState, Store, StoreOpener, StoreTables, Version
    from velour_plugin.use_cases.tracked_evaluation import TrackedEvaluation

hookspec = pluggy.HookspecMarker("velour")
hookimpl = pluggy.HookimplMarker("velour")


@hookspec
def velour_evaluators() -> Iterable[Evaluator | Offer]:  # type: ignore[empty-body]
    """Offer evaluators. Called once per process.

    One that takes long to import is offered by task, class and version, and imported when its task
    is evaluated or measured: ``Offer("counting", "my_package.count:CountEvaluator", "1")`` of
    :mod:`velour_plugin.plugin`. Two evaluators of one task are refused, naming both plugins::

        @velour_plugin.hookimpl
        def velour_evaluators():
            return [CountEvaluator()]
    """


@hookspec
def velour_formats() -> Iterable[Format | Offer]:  # type: ignore[empty-body]
    """Offer formats that ``velour.read_dataset`` can read. Called once per process.

    As evaluators, they may be offered by name and class. Two formats of one name are refused,
    naming both plugins::

        @velour_plugin.hookimpl
        def velour_formats():
            return [MyFormat()]
    """


@hookspec
def velour_properties() -> Iterable[PropertyFamily]:  # type: ignore[empty-body]
    """Offer families of properties for filters. Called once per process.

    Those answered by ``sql`` rest on facts: ``weather.rain`` is the fact ``rain`` that the source
    ``weather`` wrote with ``store.write_facts``. Those answered by ``candidates`` are a function of
    model and run. Two families of one prefix are refused, naming both plugins::

        @velour_plugin.hookimpl
        def velour_properties():
            return [PropertyFamily("weather", "sql", {"weather.rain": "number"})]
    """


@hookspec
def velour_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]
    """Offer commands for the ``velour`` command line. Called for help and unknown commands.

    A command whose name is taken is refused, naming both plugins::

        @velour_plugin.hookimpl
        def velour_commands():
            from my_package.cli import report
            return [report]
    """


@hookspec(firstresult=True)
def velour_find_runs(query: str, experiments: Sequence[str] | None) -> Iterable[str] | None:
    """Return the ids of the tracked runs that match a query of the tracker.

    Called when a ranking selects its runs by a query. The first plugin that
    returns ids wins; return ``None`` to pass::

        @velour_plugin.hookimpl
        def velour_find_runs(query, experiments):
            return my_tracker.search(query, experiments)
    """


@hookspec(firstresult=True)
def velour_run_states(run_ids: Sequence[str], load: bool) -> Iterable[RunState] | None:
    """Return what the tracker knows of runs: their names, and whether they are deleted.

    Called by ``velour rank --refresh`` and its like with ``load=True``, and with ``load=False``
    where nobody asked: only a tracker that this process uses already answers then. Runs that it
    does not know are left out; return ``None`` to pass, also for no ids::

        @velour_plugin.hookimpl
        def velour_run_states(run_ids, load):
            known = my_tracker.get(run_ids) if load else []
            return [RunState(run.id, run.name, run.is_deleted, run.now) for run in known]
    """


@hookspec(firstresult=True)
def velour_evaluate_tracked(request: TrackedEvaluation) -> Evaluation | None:
    """Evaluate a model or predictions in a run of a tracker.

    The evaluation is in the store afterwards, linked to that run. Called by ``velour evaluate``
    for models, functions and experiments; return ``None`` to pass::

        @velour_plugin.hookimpl
        def velour_evaluate_tracked(request):
            with my_tracker.run(request.name) as run:
                return my_tracker.evaluate(request.model, request.dataset, run)
    """


@hookspec
def velour_autologgers() -> Iterable[Autologger]:  # type: ignore[empty-body]
    """Offer autologgers: each watches one library. Called when ``velour.autolog`` is.

    Two autologgers of one library are refused, naming both plugins::

        @velour_plugin.hookimpl
        def velour_autologgers():
            return [Autologger("mmdet", {"mmdet.evaluation": watch_mmdet})]
    """


@hookspec(firstresult=True)
def velour_autolog(autologgers: Sequence[Autologger], options: Mapping[str, Any]) -> bool | None:
    """Switch autologging on or off, by the rules of the tracker of runs.

    ``options`` are those of ``velour.autolog``. The first plugin that returns ``True`` has
    done it; return ``None`` to pass::

        @velour_plugin.hookimpl
        def velour_autolog(autologgers, options):
            my_tracker.watch(autologgers, **options)
            return True
    """


@hookspec
def velour_stores() -> Mapping[str, StoreOpener]:  # type: ignore[empty-body]
    """Offer stores: functions that open one, by URL scheme. Called when a store is opened.

    ``create`` says whether a missing store may be created: callers that only read pass
    ``False`` and expect ``NotFound``. Two stores of one scheme are refused, naming both plugins::

        @velour_plugin.hookimpl
        def velour_stores():
            return {"memory": lambda url, *, create: MemoryStore(url)}
    """


@hookspec
def velour_tables() -> Iterable[StoreTables]:  # type: ignore[empty-body]
    """Offer tables of the plugin's own in the same SQL database, with their migrations.

    Called when an SQL store is opened: an SQLite file is upgraded on the spot, PostgreSQL by
    ``velour db upgrade``; ``velour db delete-tables NAME`` removes them. Tables that a newer
    version of the plugin made are refused::

        @velour_plugin.hookimpl
        def velour_tables():
            from my_package.schema import metadata
            return [StoreTables("quality", metadata, "my_package.migrations", head="0001")]
    """


@hookspec
def velour_after_dataset(version: Version, store: Store) -> None:
    """Called after a new dataset version is saved, to analyse or announce it.

    Called after the store's transaction is complete, and not for content that was stored before.
    An exception here is a warning to the user; it cannot undo or fail anything. The store calls
    it; one of a plugin's own does so by ``installed().announce_dataset(version, store)``::

        @velour_plugin.hookimpl
        def velour_after_dataset(version, store):
            dataset = store.load_dataset(version.dataset, version.number)
            post_to_chat(f"{version.dataset} v{version.number}: {len(dataset)} datums")
    """


@hookspec
def velour_after_evaluation(evaluation: Evaluation, store: Store) -> None:
    """Called after an evaluation is saved, to announce it.

    Called after the store's transaction is complete. An exception here is a
    warning to the user; it cannot undo or fail the evaluation::

        @velour_plugin.hookimpl
        def velour_after_evaluation(evaluation, store):
            post_to_chat(f"{evaluation.model}: {evaluation.headline}")
    """
