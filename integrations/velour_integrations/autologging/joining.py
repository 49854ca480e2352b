"""Follow ``mlflow.autolog()``, whose list of libraries is closed to others.

Every ``autolog`` of MLflow's reports its call to one *event logger*, which may be exchanged.
There is room for one, so ours hands everything on to the one that it found. This door
is semi-private: where MLflow no longer has it, joining is a warning and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mlflow.utils.autologging_utils.events import AutologgingEventLogger

_logger = logging.getLogger("mlflow.velour")
_SHARED = ("disable", "exclusive", "disable_for_unsupported_versions", "silent", "extra_tags")


class _Follower(AutologgingEventLogger):
    """Hears of ``mlflow.autolog()`` and does the same."""

    def __init__(self, before: Any, do: Callable[[Mapping[str, Any]], None]) -> None:
        self.before = before
        self.do = do

    def log_autolog_called(self, integration: str, call_args: Any, call_kwargs: Any) -> None:
        self.before.log_autolog_called(integration, call_args, call_kwargs)
        if integration == "mlflow" and "velour" not in (call_kwargs.get("exclude_flavors") or ()):
            self.do({key: call_kwargs[key] for key in _SHARED if key in call_kwargs})

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("log_") and name != "log_autolog_called":
            return getattr(object.__getattribute__(self, "before"), name)
        return object.__getattribute__(self, name)


def follow(do: Callable[[Mapping[str, Any]], None] | None) -> None:
    """Call ``do`` with the options of every ``mlflow.autolog()`` from now on; ``None``: no more."""
    try:
        before = AutologgingEventLogger.get_logger()
        if isinstance(before, _Follower):
            before = before.before
            AutologgingEventLogger.set_logger(before)
        if do is not None:
            AutologgingEventLogger.set_logger(_Follower(before, do))
    except AttributeError as error:
        _logger.warning("Velour cannot follow mlflow.autolog() of this MLflow: %s", error)
