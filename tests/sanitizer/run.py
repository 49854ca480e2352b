"""Build the compiled kernel with AddressSanitizer and UBSan and attack it: ``python run.py 60``.

Exit code 0 when nothing was found, 1 with the sanitizer's report, 77 when this machine has
no compiler with sanitizers (the reason is printed).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CORE = PROJECT / "velour_plugin/native"
DETECTION = PROJECT / "evaluators/velour_evaluators/kernels/native"
SHARED = sorted({*CORE.glob("*.c")} - {CORE / "module.c"})
MODULES = {
    "velour_plugin.native._native": [*SHARED, CORE / "module.c"],
    "velour_evaluators.kernels._native": [*SHARED, *sorted(DETECTION.glob("*.c"))],
}
CANNOT = 77
FLAGS = [
    *("-O1", "-g", "-fPIC", "-shared", "-pthread", "-ffp-contract=off", "-fno-omit-frame-pointer"),
    "-fvisibility=hidden",
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
]


def sanitizer() -> tuple[str, str] | str:
    """A compiler and the sanitizer's library to load first; or why there is none."""
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("clang")
    if sys.platform != "linux":
        return f"sanitizers are loaded first on Linux only, this is {sys.platform}"
    if compiler is None:
        return "no gcc and no clang"
    library = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    if not Path(library).is_absolute():
        return f"{compiler} has no libasan.so"
    return compiler, str(Path(library).resolve())


def attack(seconds: float, seed: int = 0) -> subprocess.CompletedProcess[str] | str:
    """Build the kernel apart and attack it for some seconds; a text says why that cannot be."""
    found = sanitizer()
    if isinstance(found, str):
        return found
    compiler, library = found
    with tempfile.TemporaryDirectory() as folder:
        include = [f"-I{sysconfig.get_paths()['include']}", f"-I{CORE}"]
        for name, sources in MODULES.items():
            command = [compiler, *FLAGS, *include, *map(str, sources), "-o", f"{folder}/{name}.so"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                return f"{compiler} cannot build with sanitizers: {done.stderr.strip()[-300:]}"
        environment = os.environ | {
            "LD_PRELOAD": library,
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "evaluators")]),
            "VELOUR_THREADS": "2",
            "VELOUR_ENGINE": "native",
            "VELOUR_ATTACKED": folder,
        }
        command = [sys.executable, str(HERE / "load.py"), str(seconds), str(seed)]
        return subprocess.run(command, capture_output=True, text=True, env=environment)


if __name__ == "__main__":
    result = attack(float(sys.argv[1]) if len(sys.argv) > 1 else 60, int((sys.argv[2:] or [0])[0]))
    if isinstance(result, str):
        print(f"not run: {result}")
        sys.exit(CANNOT)
    print(result.stdout, result.stderr[-8000:])
    sys.exit(0 if result.returncode == 0 else 1)
