"""Leave out what MLflow says while it creates or upgrades its database.

Commands use this; calls of MLflow that people make themselves keep MLflow's words.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = (
    *("mlflow.store.db.utils", "alembic.runtime.migration", "alembic.runtime.plugins"),
    # two migrations, whose modules alembic names by their files
    "89d4b8295536_create_latest_metrics_table_py",
    "2b4d017a5e9b_add_model_registry_tables_to_db_py",
)


@contextmanager
def quiet_database() -> Iterator[None]:
    """Context manager in which lines of MLflow's database loggers below WARNING are dropped.

    By a filter, because MLflow 3.5 sets the level of alembic's loggers itself as it migrates, and
    gives the root logger a handler. Both are as before at the end: Velour's stores use alembic,
    too.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(_is_warning)
    changed = [logging.getLogger(), logging.getLogger("alembic")]
    before = [(logger.level, logger.handlers[:]) for logger in changed]
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_warning)
        for logger, (level, handlers) in zip(changed, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:] = handlers


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
