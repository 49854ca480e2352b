"""Run a program with the URL of a new PostGIS database: ``served PROGRAM ARGUMENTS``.

The server is that of the tests (:mod:`tests.postgis`), run by an unprivileged user. The program
is a process of its own; what the server takes is in the seconds that pass, not in processor time.
"""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.plan import program_command
from tests.postgis import postgis_server


def main(name: str, *arguments: str) -> int:
    """Its output is the program's."""
    with postgis_server() as server, server.database() as url:
        return subprocess.run(program_command(name, *arguments, url)).returncode


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
