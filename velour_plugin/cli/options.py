"""Options that several commands share, and how results are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from shutil import get_terminal_size
from typing import Any, TypeVar

import click

from velour_plugin.domain.inputs.reading import ReadingReport, reading

Command = TypeVar("Command", bound=Callable[..., Any])


def store_option(command: Command) -> Command:
    """Add the option ``--store URL`` to a command."""
    return click.option(
        "--store",
        metavar="URL",
        help="The evaluation store; VELOUR_STORE_URI or sqlite:///velour.db when left out.",
    )(command)


def refresh_option(command: Command) -> Command:
    """Add the flag ``--refresh`` to a command."""
    return click.option(
        "--refresh",
        is_flag=True,
        help="Ask MLflow first which runs are deleted, restored or renamed.",
    )(command)


def json_option(command: Command) -> Command:
    """Add the flag ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def labels_option(command: Command) -> Command:
    """Add the option ``--labels FILE`` to a command."""
    return click.option(
        "--labels",
        metavar="FILE",
        help="Names of all classes, of numbers from 0 on: a name a line, or NUMBER: NAME.",
    )(command)


def strict_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flag ``--strict`` to a command, which then runs in a strict :func:`reading` block."""

    @wraps(command)
    def in_block(*args: Any, strict: bool, **kwargs: Any) -> Any:
        with reading(strict):
            return command(*args, **kwargs)

    return click.option(
        "--strict",
        is_flag=True,
        help="Refuse files of which something would be repaired, skipped or left unmatched.",
    )(in_block)


def parameters_option(command: Command) -> Command:
    """Add the option ``--parameters JSON`` to a command."""
    return click.option(
        "--parameters",
        metavar="JSON",
        default="{}",
        help="The task's parameters, such as '{\"iou_thresholds\": [0.5]}'.",
    )(command)


def all_runs_option(command: Command) -> Command:
    """Add the flag ``--all-runs`` to a command."""
    return click.option(
        "--all-runs", is_flag=True, help="A row for every run, not only a model's newest."
    )(command)


def label_named(text: str | None) -> str | tuple[str, str] | None:
    """Read a class: ``VALUE`` as it is, ``KEY=VALUE`` as a pair of both, ``None`` as ``None``."""
    key, equals, value = (text or "").partition("=")
    return (key, value) if equals else text


def json_object(option: str, text: str) -> dict[str, Any]:
    """Parse the value of an option as a JSON object.

    Raises:
        InvalidInput: the value is not a JSON object.
    """
    from velour_plugin.errors import InvalidInput
    from velour_plugin.helpers.json_text import parse_json

    value = parse_json(text, f"{option} {text!r}", InvalidInput)
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} {text!r}: expected a JSON object, such as {{}}.")
    return value


def where_option(command: Command) -> Command:
    """Add the option ``--where FILTER`` to a command."""
    return click.option(
        "--where",
        metavar="CQL2",
        help="Only what matches, such as \"city = 'Boston' AND hour >= 20 AND score >= 0.5\".",
    )(command)


def statistics_options(command: Command) -> Command:
    """Add ``--confidence``, ``--resamples`` and ``--seed`` to a command."""
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


def groups_option(command: Command) -> Command:
    """Add the option ``--groups NAME`` to a command; it may be repeated."""
    return click.option(
        "--groups",
        multiple=True,
        metavar="NAME",
        help="Datums that belong together: video, location:0.5; repeatable; none: independent.",
    )(command)


def mismatch_option(command: Command) -> Command:
    """Add the option ``--on-mismatch refuse|intersect`` to a command."""
    return click.option(
        "--on-mismatch",
        type=click.Choice(["refuse", "intersect"]),
        default="refuse",
        show_default=True,
        help="What to do when evaluations differ in datums, filter or parameters.",
    )(command)


def description_options(command: Command) -> Command:
    """Add ``--metadata KEY=VALUE`` and ``--location LAT,LON``, of a model or dataset, to it."""
    for option in (
        click.option("--location", metavar="LAT,LON", help="Where it is meant for, in degrees."),
        click.option(
            "--metadata",
            multiple=True,
            metavar="KEY=VALUE",
            help="A JSON value where it is one, else text; KEY= removes it. May be repeated.",
        ),
    ):
        command = option(command)
    return command


def changed_metadata(known: Mapping[str, Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Return known metadata with some pairs ``KEY=VALUE`` set, and keys of ``KEY=`` removed.

    Raises:
        BadMetadata: a text is not such a pair.
    """
    changed = {**known, **dict(map(_key_and_value, pairs))}
    return {key: value for key, value in changed.items() if value is not None}


def _key_and_value(text: str) -> tuple[str, object]:
    from velour_plugin.domain.models import metadata_value
    from velour_plugin.errors import BadMetadata

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BadMetadata(f"--metadata {text!r}: expected KEY=VALUE, such as backbone=swin.")
    return key, metadata_value(value) if value else None


def latitude_longitude(text: str) -> tuple[float, float]:
    """Parse the value of ``--location``: latitude and longitude, in degrees.

    Raises:
        BadGeometry: the text is not two numbers with a comma between.
    """
    from velour_plugin.errors import BadGeometry

    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError as error:
        raise BadGeometry(
            f"--location {text!r}: expected LATITUDE,LONGITUDE, such as 42.36,-71.03."
        ) from error
    return latitude, longitude


def lines(values: Mapping[str, str]) -> str:
    """Names and values, a line each."""
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in values.items())


def reading_text(content: Mapping[str, Any] | None) -> str:
    """A reading report in lines; of one as JSON."""
    return "read: unknown" if content is None else str(ReadingReport.from_dict(content))


def print_result(result: Any, as_json: bool) -> None:
    """Print a result as its table, or as JSON for scripts.

    On a terminal the table fits its width, in colours unless ``NO_COLOR`` or ``TERM=dumb`` is set;
    files and pipes get all columns.
    """
    if as_json:
        print_json(result.to_dict())
    else:
        click.echo(printed_text(result))


def printed_text(result: Any) -> str:
    """Return a result as the text that :func:`print_result` prints."""
    if not sys.stdout.isatty() or not hasattr(result, "to_text"):
        return str(result)
    return str(result.to_text(get_terminal_size().columns, has_colour()))


def has_colour() -> bool:
    """Whether standard output is a terminal that shows colours, and its user wants them."""
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return sys.stdout.isatty() and is_wanted


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
