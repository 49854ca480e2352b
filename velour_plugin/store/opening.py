"""Open a store by its URL, whose scheme selects the plugin."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import BadPlugin, InvalidInput
from velour_plugin.helpers.store_urls import masked_url
from velour_plugin.helpers.usage import in_use
from velour_plugin.plugins.installed import installed
from velour_plugin.store.protocol import Snapshot, Store

if TYPE_CHECKING:
    from velour_plugin.domain.datasets import Dataset
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.queries.query import Query
    from velour_plugin.store.values import Version

Value = TypeVar("Value")

DEFAULT_URL = "sqlite:///velour.db"
ENVIRONMENT = "VELOUR_STORE_URI"


class StoreOpener(Protocol):
    """Opens the stores of one URL scheme.

    It may have methods that are faster than opening a store: ``known_answer(url, key, datasets)``
    in place of ``cached_answer``, ``answer(url, query)`` in place of ``ask``, and ``read(url,
    read)``, which calls a function with a snapshot. They return the answer; ``None`` if only an
    open store can answer. One with ``is_missing(url)`` has ``save_first(url, dataset, evaluation)``
    as well, which makes a store that is missing; ``None`` where it is there by now.
    """

    def __call__(self, url: str, *, create: bool) -> Store:
        """Open a store; a missing one is created only if ``create``."""


def open_store(url: str | None = None, create: bool = True) -> Store:
    """Open the evaluation store.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/database``, or of a scheme that a plugin
            offers; when left out, that of the environment variable ``VELOUR_STORE_URI``, else
            ``sqlite:///velour.db``.
        create: whether to create a missing SQLite file; ``False`` for reading only.

    Raises:
        NotFound: there is no such file, and ``create`` is false.
        InvalidInput: no plugin offers stores of the URL's scheme.
        BadPlugin: a plugin's opener returned something that is no store.
        StoreUnavailable: the database does not answer, lacks PostGIS, or has an old schema.
    """
    address = store_url(url)
    scheme = _scheme(address)
    store = installed().stores[scheme](address, create=create)
    if not isinstance(store, Store):
        raise BadPlugin(
            f"store {masked_url(address)!r}: plugin {installed().provider('store', scheme)!r} "
            f"opened {store!r}, which lacks methods of velour_plugin.Store. Correct the plugin "
            "(velour_plugin.testing.stores has a suite for it), or uninstall it."
        )
    in_use.store = masked_url(store.display_url)
    return store


def known_answer(url: str | None, key: str, datasets: Sequence[str] | None) -> Any | None:
    """Return the cached answer of a key, as JSON; ``None`` without a valid one at hand.

    The store is not opened: an answer that only an open store can read is not at hand.

    Args:
        url: of the store, as for :func:`open_store`.
        key: of the query.
        datasets: of the query; ``None`` for all in the store.

    Raises:
        InvalidInput: no plugin offers stores of the URL's scheme.
    """
    address = store_url(url)
    read = getattr(installed().stores[_scheme(address)], "known_answer", None)
    return _in_use(address, None if read is None else read(address, key, datasets))


def quick_answer(url: str | None, query: Query[Any]) -> Any | None:
    """Answer a query without opening the store; ``None`` where that is not possible.

    Args:
        url: of the store, as for :func:`open_store`.
        query: to answer.

    Raises:
        InvalidInput: no plugin offers stores of the URL's scheme.
    """
    address = store_url(url)
    answer = getattr(installed().stores[_scheme(address)], "answer", None)
    return _in_use(address, None if answer is None else answer(address, query))


def read_store(url: str | None, read: Callable[[Snapshot], Value]) -> Value:
    """Call a function with a snapshot of a store, opening it only if need be; return its result.

    Args:
        url: of the store, as for :func:`open_store`; a missing store is not created.
        read: takes the snapshot, and returns anything but ``None``.

    Raises:
        NotFound: there is no store at the URL.
    """
    address = store_url(url)
    quick = getattr(installed().stores[_scheme(address)], "read", None)
    value: Value | None = _in_use(address, None if quick is None else quick(address, read))
    if value is not None:
        return value
    with open_store(url, create=False) as opened, opened.snapshot() as reader:
        return read(reader)


def is_missing(url: str | None) -> bool:
    """Whether there is no store at a URL yet, and :func:`save_first` can make one.

    Raises:
        InvalidInput: no plugin offers stores of the URL's scheme.
    """
    address = store_url(url)
    look = getattr(installed().stores[_scheme(address)], "is_missing", None)
    return look is not None and look(address)


def save_first(url: str | None, dataset: Dataset, evaluation: Evaluation) -> Version | None:
    """Make a store that is missing, with one evaluation, without opening it.

    Args:
        url: of the store, as for :func:`open_store`.
        dataset: the whole dataset, with the predictions that were evaluated.
        evaluation: of no run.

    Returns:
        the dataset's version; ``None`` where there is a store by now, and nothing was written.
    """
    address = store_url(url)
    if not is_missing(url):
        return None
    opener: Any = installed().stores[_scheme(address)]
    version: Version | None = _in_use(address, opener.save_first(address, dataset, evaluation))
    if version is not None:
        in_use.dataset = (version.dataset, version.digest)
    return version


def _in_use(address: str, answer: Any | None) -> Any | None:
    """Return an answer, and note its store as the one in use."""
    if answer is not None:
        in_use.store = masked_url(address)
    return answer


def store_url(url: str | None = None) -> str:
    """Return the URL of a store: the one passed, else that of ``VELOUR_STORE_URI``, else a file."""
    if url is not None and not isinstance(url, str):
        raise InvalidInput(f"store {url!r}: expected a URL such as sqlite:///velour.db.")
    address = url or os.environ.get(ENVIRONMENT) or DEFAULT_URL
    if not is_storable(address):
        raise InvalidInput(f"store {masked_url(address)!r}: expected text without U+0000.")
    return address


def _scheme(url: str) -> str:
    """The scheme of a URL that some plugin opens; a driver behind ``+`` is no part of it."""
    known = installed().stores
    scheme = re.match(r"[\w.-]+(?=(\+[\w.-]+)?:)", url)
    if scheme is None or scheme[0] not in known:
        shown = masked_url(url)
        hint = f"did you mean sqlite:///{url}? " if shown == url and ":" not in url else ""
        raise InvalidInput(
            f"store {shown!r}: {hint}expected sqlite:///path/to/file.db or "
            "postgresql://user:password@host:port/database; known schemes are "
            f"{', '.join(sorted(known))}. A plugin may offer another (hook velour_stores)."
        )
    return scheme[0]


@contextmanager
def opened(store: Store | str | None, create: bool = False) -> Iterator[Store]:
    """Context manager of an open store: the one passed, or one opened until the block ends.

    Args:
        store: an open store, which stays open; a URL; or ``None`` for the default store.
        create: whether to create a missing SQLite file; ``False`` for reading only.

    Raises:
        NotFound: there is no store at the URL.
        InvalidInput: it is neither.
    """
    if store is None or isinstance(store, str):
        with open_store(store, create=create) as opened_store:
            yield opened_store
    elif isinstance(store, Store):
        yield store
    else:
        raise InvalidInput(
            f"store {store!r}: expected an open store, a URL such as sqlite:///velour.db, or None "
            "for the default one."
        )
