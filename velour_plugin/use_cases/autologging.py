"""Switch autologging on and off; a plugin does the work, since the core imports no tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from velour_plugin.plugins.installed import installed


def autolog(
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: Mapping[str, str] | None = None,
    *,
    libraries: Sequence[str] | None = None,
    dataset: str | None = None,
    store: str | None = None,
    log_artifacts: bool = True,
    join: bool = False,
) -> None:
    """Evaluate with Velour, too, whatever other libraries evaluate from now on.

    When pycocotools, faster-coco-eval, torchmetrics, Ultralytics, a Hugging Face ``Trainer``,
    scikit-learn or ``mlflow.models.evaluate`` evaluates predictions, the same ground truth and
    predictions become a Velour evaluation: in the store, and in the active MLflow run, or in
    one made for it. What these libraries return is left as it is, and so is what they raise;
    a failure of Velour's own is a warning. Call it again to change options.

    Args:
        disable: switch autologging off.
        exclusive: log to runs made for it only, never to those that people started.
        disable_for_unsupported_versions: leave libraries alone whose version is untried, rather
            than warn of it.
        silent: no messages and no warnings.
        extra_tags: tags of the runs made for it.
        libraries: only these, by the names that ``velour plugins`` lists.
        dataset: name of the evaluated datasets; when left out, that of their file, or of the
            MLflow experiment.
        store: URL of the store; ``VELOUR_STORE_URI`` or ``sqlite:///velour.db`` when left out.
        log_artifacts: whether runs get predictions and reports beside metrics and tags.
        join: follow ``mlflow.autolog()`` until the next call of this function: it then switches
            Velour's on and off as well.

    Raises:
        UnknownName: nothing installed watches one of the ``libraries``.
        NotFound: no plugin has a tracker of runs.
    """
    installed().autolog(
        libraries,
        {
            "disable": disable,
            "exclusive": exclusive,
            "disable_for_unsupported_versions": disable_for_unsupported_versions,
            "silent": silent,
            "extra_tags": extra_tags,
            "dataset": dataset,
            "store": store,
            "log_artifacts": log_artifacts,
            "join": join,
        },
    )
