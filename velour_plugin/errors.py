"""Every error that Velour raises on purpose.

The tree, with the exit code of the command line and the status of a response over HTTP::

    VelourError                       1   500
    ├── InvalidInput                  2   422   a value breaks a rule: the caller's mistake
    │   ├── BadGeometry               2   422
    │   ├── BadMetadata               2   422
    │   ├── BadAnnotation             2   422
    │   ├── BadDataset                2   422
    │   ├── BadFilter                 2   422
    │   ├── NothingSelected           2   422   a filter that selects no datum
    │   ├── BadPlugin                 2   422   a plugin that breaks the rules of the hooks
    │   ├── UnknownName               2   422   names the nearest name that exists
    │   └── UnreadableFile            2   422   a file that is missing, or a folder
    ├── NotFound                      2   404   nothing is stored under that name
    ├── NotComparable                 2   409   evaluations whose certificates differ
    ├── MissingExtra                  1   501   an optional library is not installed
    ├── PluginConflict                1   500   two plugins claim one name
    └── StoreUnavailable              1   503   the store cannot be reached or is too old
        ├── NewerSchema               2   503   tables of a version that is not installed yet
        └── DamagedContent            1   503   stored bytes that cannot be read back

A message gives the value, the rule it breaks and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable


class VelourError(Exception):
    """The root of the tree; catch it to catch every error of Velour."""

    exit_code = 1
    http_status = 500

    def __str__(self) -> str:
        """Return the message; half a surrogate pair, which nothing can print, is escaped."""
        return self._printable(super().__str__())

    @staticmethod
    def _printable(message: object) -> str:
        return str(message).encode("utf-8", "backslashreplace").decode("utf-8")


class InvalidInput(VelourError, ValueError):
    """A value breaks a rule; nothing was stored or logged."""

    exit_code = 2
    http_status = 422


class BadGeometry(InvalidInput):
    """A box, polygon, raster or location that cannot exist."""


class BadMetadata(InvalidInput):
    """A metadata key or value that the store could not filter by."""


class BadAnnotation(InvalidInput):
    """A label, score or annotation that breaks a rule."""


class BadDataset(InvalidInput):
    """Ground truths or predictions that do not fit together."""


class BadFilter(InvalidInput):
    """A filter that does not parse, or has a condition that cannot be evaluated."""


class NothingSelected(InvalidInput):
    """A filter that selects no datum: there is nothing to evaluate, to rank or to cut."""


class BadPlugin(InvalidInput):
    """A plugin that breaks the rules of the hooks: a misspelt name, a wrong argument."""


class UnknownName(InvalidInput, KeyError):
    """A name that does not exist, where others do.

    Args:
        kind: of the name, such as ``metric``.
        name: the unknown name.
        known: names that exist; the nearest is suggested.
        hint: a sentence to print instead of the suggestion.
    """

    def __init__(
        self, kind: str, name: object, known: Iterable[str], hint: str | None = None
    ) -> None:
        names = sorted(set(known))
        from difflib import get_close_matches  # slow to import

        folded = {known_name.casefold(): known_name for known_name in names}  # map is mAP
        near = get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
        hint = f"{hint} " if hint else f"did you mean {folded[near[0]]!r}? " if near else ""
        choices = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
        super().__init__(f"unknown {kind} {name!r}: {hint}known are: {choices or 'none'}.")

    def __str__(self) -> str:
        return self._printable(self.args[0])  # KeyError would put the message in quotes


class UnreadableFile(InvalidInput):
    """A file that is not there, may not be read, or is a folder.

    Args:
        name: of the file, as the message shows it.
        error: of the operating system.
    """

    def __init__(self, name: str, error: OSError) -> None:
        is_folder = isinstance(error, IsADirectoryError)
        reason = "it is a folder, expected a file in it" if is_folder else error.strerror
        super().__init__(f"{name} cannot be read: {reason}.")


class NotFound(VelourError, LookupError):
    """Nothing is stored under that name."""

    exit_code = 2
    http_status = 404


class NotComparable(VelourError):
    """Evaluations with different certificates cannot be ranked together."""

    exit_code = 2
    http_status = 409


class MissingExtra(VelourError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""

    http_status = 501


class PluginConflict(VelourError):
    """Two plugins claim one name."""


class StoreUnavailable(VelourError):
    """The store cannot be reached, or its schema is of another version."""

    http_status = 503


class NewerSchema(StoreUnavailable):
    """The store has tables of a newer version than the one that is installed."""

    exit_code = 2


class DamagedContent(StoreUnavailable):
    """Raised for stored bytes that are not what was written; names the evaluation and a way out."""
