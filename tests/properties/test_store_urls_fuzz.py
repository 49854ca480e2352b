"""A password never shows, whatever it holds and in whatever form of URL it stands."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import velour_plugin as velour
from velour_plugin.errors import VelourError
from velour_plugin.helpers.store_urls import masked_url, without_secrets
from velour_plugin.store.sql.opening import _connect

FORMS = [
    "postgresql://u:{}@127.0.0.1:1/db",
    "postgres://u:{}@127.0.0.1:1/db?sslmode=disable",
    "postgresql+psycopg2://:{}@127.0.0.1:1/db",
    "postgresql://u:{}@/db?host=127.0.0.1&port=1",
    "postgresql://u:{}@[::1]:1/db",
    "postgresql://u:{}@127.0.0.1:port/db",
    "postgresql://u@127.0.0.1:1/db?password={}",
    "postgresql://127.0.0.1:1/db?user=u&password={}",
    "postgresql://127.0.0.1:1/db?user=u&password={}&sslmode=disable",
    "postgresql://u@127.0.0.1:1/db?sslpassword={}",
    "postgresql://u@127.0.0.1:1/db#password={}",
    "postgresql:/u:{}@127.0.0.1/db",
    "postgresql:u:{}@127.0.0.1",
    "//u:{}@127.0.0.1/db",
    "u:{}@127.0.0.1/db",
    "mysql://u:{}@127.0.0.1/db",
    "mysql+pymysql://u:{}@127.0.0.1/db?charset=utf8",
    "postgresqll://u:{}@127.0.0.1/db",
    "sqlite://u:{}@127.0.0.1/x.db",
    "sqlite:////no/such/folder/x.db?password={}",
    "host=127.0.0.1 port=1 user=u password={}",
    "host = 127.0.0.1 user=u password = '{}' dbname=db",
    "password={} host=127.0.0.1",
]
"""Right and wrong: nothing answers at any of them."""

SECRET = "Top5ecret"
passwords = st.tuples(
    *2 * [st.text(st.sampled_from("@:/?#&=%;,' \"\\$~aZ0é💡\n\t[]+"), max_size=6)]
).map(SECRET.join)


def shown_by(use: Any) -> str:
    """All that can be seen of a call: what it returns, or its error with its causes."""
    try:
        return str(use())
    except VelourError as error:
        return "".join(traceback.format_exception(error))


@settings(max_examples=150)
@given(st.sampled_from(FORMS), passwords)
@example(FORMS[0], "@Top5ecret")
@example(FORMS[0], "a?b=@Top5ecret")
@example(FORMS[6], "x@Top5ecret&sslmode=Top5ecret")
@example(FORMS[0], "1?b=Top5ecret@c")
def test_a_password_shows_nowhere(form: str, password: str) -> None:
    url = form.format(password)

    def described() -> str:
        with _connect(url) as store:
            return f"{store!r} {store.display_url} {store.engine!r} {store.engine.url}"

    for text in (
        masked_url(url),
        shown_by(described),
        shown_by(lambda: velour.open_store(url, create=False)),
        shown_by(lambda: velour.rank("mAP", dataset="d", store=url)),
    ):
        assert SECRET not in text, (url, text)
    assert masked_url(masked_url(url)) == masked_url(url)


@given(st.text(max_size=40))
def test_any_text_is_shown_somehow(text: str) -> None:
    assert masked_url(masked_url(text)) == masked_url(text)
    assert isinstance(without_secrets(text, text), str)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///velour.db",
        "sqlite:////home/ann@corp/velour.db",
        "sqlite:///C:/data/velour.db",
        "sqlite:///velour.db?timeout=3",
        "postgresql://ann@db.example.org:5432/velour",
        "postgresql://db/velour?sslmode=require&application_name=board",
        "postgresql://[::1]:5432/velour",
        "velour.db",
        "my file.db",
        "C:\\data\\velour.db",
        "nonsense",
    ],
)
def test_what_is_harmless_stays(url: str) -> None:
    assert masked_url(url) == url


def test_a_message_that_quotes_the_url_is_shown_without() -> None:
    url = "postgresql://ann:to%40ps@db/velour?password=hidden"
    message = 'invalid "to@ps" of "ann" in "hidden": no password for "db"'
    shown = 'invalid "***" of "ann" in "***": no password for "db"'
    assert without_secrets(message, url) == shown
