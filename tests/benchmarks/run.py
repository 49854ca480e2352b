"""``make bench``: measure speed against peers, everything in one go, each as a program of its own.

Peers that are not installed are left out and said to be: ``pip install 'velour-plugin[bench]'``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PARTS = {
    "detection and instance segmentation": ["detection", "--big", "--files"],
    "ranking 20 runs": ["ranking"],
    "semantic segmentation": ["semantic"],
    "classification": ["classification"],
    "filters over a million datums": ["filters"],
    "ingest of 500,000 boxes": ["ingest"],
    "one stored evaluation": ["stored"],
    "evaluation in MLflow": ["mlflow"],
    "start time": ["startup"],
}


def main() -> int:
    """Run the parts that are named, or all; the exit code is the worst of theirs."""
    wanted = sys.argv[1:]
    roots = (PROJECT, PROJECT / "evaluators", PROJECT / "integrations")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    worst = 0
    for title, (module, *options) in PARTS.items():
        if wanted and module not in wanted:
            continue
        print(f"\n## {title}\n", flush=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", *options]
        worst = max(worst, subprocess.run(command, cwd=PROJECT, env=environment).returncode)
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
