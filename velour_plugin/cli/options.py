"""Options that several commands have, and how their answers are printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def store_option(command: Command) -> Command:
    """``--store URL``."""
    return click.option(
        "--store",
        metavar="URL",
        help="The evaluation store; VELOUR_STORE_URI or sqlite:///velour.db when left out.",
    )(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def parameters_option(command: Command) -> Command:
    """``--parameters JSON``."""
    return click.option(
        "--parameters",
        metavar="JSON",
        default="{}",
        help="The task's parameters, such as '{\"iou_thresholds\": [0.5]}'.",
    )(command)


def label_named(text: str | None) -> str | tuple[str, str] | None:
    """A class by ``VALUE`` or ``KEY=VALUE``."""
    key, equals, value = (text or "").partition("=")
    return (key, value) if equals else text


def json_object(option: str, text: str) -> dict[str, Any]:
    """What an option says in JSON.

    Raises:
        InvalidInput: it is no JSON object.
    """
    from velour_plugin.errors import InvalidInput

    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{option} {text!r} is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise InvalidInput(f"{option} {text!r}: expected a JSON object, such as {{}}.")
    return given


def where_option(command: Command) -> Command:
    """``--where FILTER``."""
    return click.option(
        "--where",
        metavar="CQL2",
        help="Only what matches, such as \"city = 'Boston' AND hour >= 20 AND score >= 0.5\".",
    )(command)


def statistics_options(command: Command) -> Command:
    """``--confidence``, ``--resamples`` and ``--seed``."""
    for option in (
        click.option("--seed", default=0, show_default=True, help="Of the resamples."),
        click.option(
            "--resamples",
            default=1000,
            show_default=True,
            help="Bootstrap resamples for intervals; 0 for none.",
        ),
        click.option("--confidence", default=0.95, show_default=True, help="Of the intervals."),
    ):
        command = option(command)
    return command


def mismatch_option(command: Command) -> Command:
    """``--on-mismatch refuse|intersect``."""
    return click.option(
        "--on-mismatch",
        type=click.Choice(["refuse", "intersect"]),
        default="refuse",
        show_default=True,
        help="What to do when evaluations were not asked the same question.",
    )(command)


def print_result(result: Any, as_json: bool) -> None:
    """Print a result as its table, or as JSON for scripts."""
    if as_json:
        print_json(result.to_dict())
    else:
        click.echo(str(result))


def print_json(value: Any) -> None:
    """Print a value as JSON, indented for people who look anyway."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
