"""Hide what may be secret in the URL of a store, whatever its form.

A URL is text that somebody typed, perhaps wrongly: what is not surely harmless is hidden, so that
tags, messages and logs show it as :func:`masked_url` does. A driver that quotes parts of it in an
error is answered by :func:`without_secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

_HIDDEN = "***"
_SHORT = 3
"""A secret of fewer characters is not looked for in messages: it would be found everywhere."""

HARMLESS = frozenset(
    [
        "application_name",
        "connect_timeout",
        "dbname",
        "host",
        "hostaddr",
        "mode",
        "port",
        "sslmode",
        "target_session_attrs",
        "timeout",
        "user",
    ]
)
"""Options that are shown, with values of ordinary characters."""
_PAIR = rf"(?:{'|'.join(sorted(HARMLESS))})=[\w.,+-]*"
_QUERY = re.compile(rf"\?{_PAIR}(?:&{_PAIR})*")
_KEY_VALUES = re.compile(rf"(?:{_PAIR}\s+)*")
_OPTION = re.compile(r"[?#&;]\s*[\w.-]+\s*=")
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*")
_PATH = re.compile(r"(?:sqlite:|[A-Za-z]:(?=[\\/]))?[^:@=;&?#]*")
_HOST = re.compile(r"(?P<host>\[[\da-fA-F:.%]*\]|[^:/?#]*)(?P<port>:\d*(?=[,/?#]|$))?")
_PASSWORD = re.compile(r"//[^:]*:(.*)@", re.DOTALL)
_DELIMITERS = re.compile(r"[\s:/@?#&=;,'\"\\]+")
_WORDS = frozenset(("password", "passfile", "sslpassword", "sslkey", "sslcert", "options"))


def masked_url(url: str) -> str:
    """Return a store's URL without its password and other options that may be secret.

    >>> masked_url("postgresql://ann:s@cr/t?x@db.example.org:5432/velour")
    'postgresql://ann:***@db.example.org:5432/velour'
    >>> masked_url("postgresql://ann@db.example.org/velour?password=secret")
    'postgresql://ann@db.example.org/velour?***'
    >>> masked_url("host=db user=ann password=secret")
    'host=db user=ann ***'
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return _without_authority(url)
    option = _OPTION.search(rest)
    if option is None:
        return f"{scheme}://{_authority(rest)}"
    before, query = rest[: option.start()], rest[option.start() :]
    if "@" in query:  # of a password that looks like an option, or of an option's value
        return f"{scheme}://{before.partition(':')[0]}:{_HIDDEN}"
    return f"{scheme}://{_authority(before)}{query if _QUERY.fullmatch(query) else f'?{_HIDDEN}'}"


def is_ambiguous(url: str) -> bool:
    """Whether nobody can say where a password ends: at which ``@``, or in an option.

    >>> is_ambiguous("postgresql://ann:s@cr@db/velour"), is_ambiguous("postgresql://ann:s@db/velour")
    (True, False)
    """
    option = _OPTION.search(url)
    return url.count("@") > 1 or (option is not None and "@" in url[option.start() :])


def without_secrets(message: str, url: str) -> str:
    """Return a driver's message without what :func:`masked_url` hides of a URL."""
    shown = {*_parts(masked_url(url)), *_WORDS, *HARMLESS}
    whole = [found[1] for found in _PASSWORD.finditer(url)]
    known = {text for part in (*_parts(url), *whole) for text in (part, unquote(part))}
    parts = {*known, *(part for text in known for part in _parts(text))}
    secrets = {part for part in parts if part not in shown and len(part) >= _SHORT}
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, _HIDDEN)
    return message


def _without_authority(url: str) -> str:
    """A path as it is; of other text its scheme or the harmless pairs that it begins with."""
    if _PATH.fullmatch(url):
        return url
    scheme = _SCHEME.match(url)
    if scheme and url[scheme.end() :].startswith(":"):
        return f"{scheme[0]}:{_HIDDEN}"
    pairs = _KEY_VALUES.match(url)
    return f"{pairs[0] if pairs else ''}{_HIDDEN}"


def _authority(rest: str) -> str:
    """User, host and path of a URL without options; a password ends at the last ``@``."""
    before, at, after = rest.rpartition("@")
    if not at or (before.startswith("/") and ":" not in before):  # a file in ann@home
        return _host(rest)
    user = re.split("[:/?#]", before, maxsplit=1)[0]
    return f"{user}{'' if user == before else f':{_HIDDEN}'}@{_host(after)}"


def _host(rest: str) -> str:
    """Host, port and path; what is no port is hidden, and all that follows a ``?`` or ``#``."""
    found = _HOST.match(rest)
    assert found is not None
    path, mark, _ = _cut(rest[found.end() :])
    if path.startswith(":"):
        return f"{found['host']}:{_HIDDEN}"
    return f"{found[0]}{path}{f'{mark}{_HIDDEN}' if mark else ''}"


def _cut(text: str) -> tuple[str, str, str]:
    mark = next((letter for letter in text if letter in "?#"), "?")
    return text.partition(mark)


def _parts(text: str) -> Iterator[str]:
    return filter(None, _DELIMITERS.split(text))
