"""The words for what a database or its driver refuses: the one door of their exceptions."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from velour_plugin.errors import DamagedContent, InvalidInput, StoreUnavailable, VelourError
from velour_plugin.helpers.libraries import shapely
from velour_plugin.helpers.store_urls import masked_url, without_secrets

_ELSEWHERE = "Another store is named with --store or VELOUR_STORE_URI."
_HINTS = {
    "disk is full": "Make room on its disk, then do this again; nothing of it was stored.",
    "no space left": "Make room on its disk, then do this again; nothing of it was stored.",
    "disk full": "Make room on its disk, then do this again; nothing of it was stored.",
    "database is locked": (
        "Another process was writing to it all the time: do this again when that has ended."
    ),
    "readonly": f"It may only be read here. {_ELSEWHERE}",
    "read-only": f"It may only be read here. {_ELSEWHERE}",
    "permission denied": f"Ask its owner for the right. {_ELSEWHERE}",
    "canceling statement": "A limit of the server ended this: do it again, or have it raised.",
    "idle-in-transaction": "A limit of the server ended this: do it again, or have it raised.",
    "unable to open": f"May this user read and write the file and its folder? {_ELSEWHERE}",
    "connection already closed": "The server was stopped meanwhile: do this again.",
    "server closed": "The server was stopped meanwhile: do this again.",
    "terminating connection": "The server was stopped meanwhile: do this again.",
}
"""What to do, by words of a database's message; the first that fits."""


@contextmanager
def reachable(url: str) -> Iterator[None]:
    """Context manager that turns errors of a database into ours, with a way out, without secrets.

    Args:
        url: of the store, password included; messages show it masked.

    Raises:
        StoreUnavailable: the database does not answer, or refused to do it.
        InvalidInput: it refused a value.
        DamagedContent: what it holds is not JSON or WKB that was stored.
    """
    try:
        yield
    except DBAPIError as error:
        message = str(error.orig).strip()
        reason = without_secrets(message, url)
        # a traceback would show the cause with what it quotes of the URL
        shown = error if reason == message else None
        raise _worded(error, f"store {masked_url(url)}", reason) from shown
    except (JSONDecodeError, zlib.error, shapely.errors.ShapelyError) as error:
        raise DamagedContent(
            f"store {masked_url(url)} holds content that cannot be read back ({error}): restore it "
            f"from a backup. {_ELSEWHERE}"
        ) from error


def _worded(error: DBAPIError, store: str, reason: str) -> VelourError:
    if isinstance(error, DataError):
        return InvalidInput(f"{store} refused a value: {reason}")
    hint = next((_HINTS[words] for words in _HINTS if words in reason.lower()), "")
    if not hint and isinstance(error, OperationalError):
        hint = f"Is the server running and may this user write there? {_ELSEWHERE}"
    return StoreUnavailable(f"{store} failed: {reason}" + (f"\n{hint}" if hint else ""))


def word_values(engine: Engine) -> None:
    """Word what a driver cannot send, such as half of a surrogate pair, on any database alike."""
    event.listen(engine, "handle_error", _refuse_value)


def _refuse_value(context: Any) -> None:
    """Word what a driver refuses before the database has seen it.

    Raises:
        InvalidInput: the driver cannot send one of the values.
    """
    error = context.original_exception
    of_nul = type(error) is ValueError and "NUL" in str(error)
    if of_nul or isinstance(error, (UnicodeEncodeError, OverflowError)):
        raise InvalidInput(f"a store cannot hold such a value: {error}.") from error
