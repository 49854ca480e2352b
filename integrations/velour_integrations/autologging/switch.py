"""Autologging by MLflow's rules: one integration named ``velour``, patches laid by MLflow.

MLflow decides for each call whether the integration is disabled, or exclusive while somebody's
own run is active; turns what a watcher raises into a warning, and raises it in its
test mode (``MLFLOW_AUTOLOGGING_TESTING``); and takes patches away again. Its import hooks wait for
libraries that are not there yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from mlflow.utils.autologging_utils import (
    autologging_integration,
    autologging_is_disabled,
    get_autologging_config,
)
from mlflow.utils.autologging_utils.safety import is_testing, safe_patch
from mlflow.utils.import_hooks import register_post_import_hook
from packaging.specifiers import SpecifierSet

from velour_integrations.autologging.joining import follow
from velour_plugin import Autologger

INTEGRATION = "velour"
"""What MLflow knows it as, in its settings and as the tag ``mlflow.autologging``."""

_logger = logging.getLogger("mlflow.velour")  # below MLflow's own, which silent=True turns off


def switch(autologgers: Sequence[Autologger], *, join: bool, **options: Any) -> None:
    """Switch these autologgers on and any other off, or all off, as ``velour.autolog`` does."""
    _autolog(autologgers=autologgers, **options)

    def again(shared: Mapping[str, Any]) -> None:
        _autolog(autologgers=autologgers, **{**options, **shared})

    follow(again if join else None)


@autologging_integration(INTEGRATION)  # type: ignore[untyped-decorator]
def _autolog(
    *,
    autologgers: Sequence[Autologger],
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: Mapping[str, str] | None = None,
    dataset: str | None = None,
    store: str | None = None,
    log_artifacts: bool = True,
) -> None:
    """Called by MLflow after it has taken the patches of an earlier call away."""
    for autologger in autologgers:
        for name in autologger.modules:
            register_post_import_hook(_hook(autologger, name), name, overwrite=True)


def _hook(autologger: Autologger, name: str) -> Callable[[ModuleType], None]:
    def patch(module: ModuleType) -> None:
        # an import hook outlives the call that set it: another may have chosen since
        chosen = get_autologging_config(INTEGRATION, "autologgers", ())
        if autologging_is_disabled(INTEGRATION) or autologger not in chosen:
            return
        try:
            if _is_supported(autologger):
                autologger.modules[name](module, _watch)
        except Exception as error:  # raised here, it would fail somebody's import
            if is_testing():
                raise
            _logger.warning("Velour's autologging cannot watch %s: %s", autologger.name, error)

    patch.__name__ = f"velour_{name}"  # MLflow takes hooks of one name for the same
    return patch


def _watch(owner: Any, name: str, watcher: Callable[..., Any]) -> None:
    safe_patch(INTEGRATION, owner, name, watcher)


def _is_supported(autologger: Autologger) -> bool:
    try:
        installed = version(autologger.name)
    except PackageNotFoundError:  # a copy in somebody's source tree: of what version, who knows
        return True
    if SpecifierSet(autologger.versions).contains(installed, prereleases=True):
        return True
    tested = f"{autologger.name} {installed}: Velour's autologging is known to work with "
    if get_autologging_config(INTEGRATION, "disable_for_unsupported_versions", False):
        _logger.debug("%s%s and leaves it alone.", tested, autologger.versions)
        return False
    _logger.warning("%s%s.", tested, autologger.versions)
    return True
