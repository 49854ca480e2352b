"""Build the compiled modules with sanitizers and attack them: ``run.py [SECONDS SEED KIND]``.

``address`` is AddressSanitizer and UBSan, ``thread`` is ThreadSanitizer; README.md says what each
of them sees. Exit code 0 when nothing was found, 1 with the sanitizer's report, 77 when this
machine has no compiler with sanitizers (the reason is printed).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
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
LIBRARIES = {"address": "libasan.so", "thread": "libtsan.so"}
SANITIZERS = {
    "address": [
        "-O0",  # each reading that the source has is a load with a check of its own
        *("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
        "--param=asan-instrumentation-with-call-threshold=0",
        *(f"-Wl,--wrap=__asan_load{size}" for size in (1, 2, 4, 8, 16, "N")),
        "scribble.o",
    ],
    "thread": ["-O1", "-fsanitize=thread"],
}
FLAGS = [
    *("-g", "-fPIC", "-shared", "-pthread", "-ffp-contract=off", "-fno-omit-frame-pointer"),
    "-fvisibility=hidden",
]
# No block is larger: a size that asks for more must be refused in words before.
MEMORY = "allocator_may_return_null=1:max_allocation_size_mb=200"


class Impossible(Exception):
    """Why this machine cannot attack."""


def compiler_of(kind: str) -> tuple[str, str]:
    """A compiler, and the sanitizer's library to load first.

    Raises:
        Impossible: there is none.
    """
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("clang")
    if sys.platform != "linux":
        raise Impossible(f"sanitizers are loaded first on Linux only, this is {sys.platform}")
    if compiler is None:
        raise Impossible("no gcc and no clang")
    name = LIBRARIES[kind]
    asked = [compiler, f"-print-file-name={name}"]
    library = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not Path(library).is_absolute():
        raise Impossible(f"{compiler} has no {name}")
    return compiler, str(Path(library).resolve())


def build(
    folder: Path, kind: str, planted: Path | None = None, modules: Sequence[str] = ()
) -> None:
    """Build modules into a folder; for ``address`` with the thread that scribbles.

    Args:
        folder: where to.
        kind: of sanitizer.
        planted: C file to compile in place of the one of its name, to see its defect found.
        modules: their names; of none, all are built.

    Raises:
        Impossible: the compiler cannot.
    """
    compiler, _ = compiler_of(kind)
    include = [f"-I{path}" for path in (sysconfig.get_paths()["include"], CORE, DETECTION)]
    jobs = []
    for name in modules or MODULES:
        sources = MODULES[name]
        chosen = [planted if planted and planted.name == one.name else one for one in sources]
        flags = [*FLAGS, *SANITIZERS[kind], *include]
        jobs.append([compiler, *flags, *map(str, chosen), "-o", f"{name}.so"])
    scribble = [compiler, "-O2", "-fPIC", "-c", str(HERE / "scribble.c")]
    subprocess.run(scribble, cwd=folder, check=True)
    running = [subprocess.Popen(job, cwd=folder, stderr=subprocess.PIPE, text=True) for job in jobs]
    errors = [one.communicate()[1] for one in running]
    if any(one.returncode for one in running):
        raise Impossible(
            f"{compiler} cannot build with sanitizers: {''.join(errors).strip()[-300:]}"
        )


def attack(
    folder: Path, seconds: float, seed: int = 0, kind: str = "address", names: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Attack the modules in a folder for some seconds: all functions, or those that are named.

    Raises:
        Impossible: this machine cannot.
    """
    environment = os.environ | {
        "LD_PRELOAD": compiler_of(kind)[1],
        "ASAN_OPTIONS": f"detect_leaks=0:{MEMORY}",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"halt_on_error=1:{MEMORY}",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "evaluators")]),
        "VELOUR_THREADS": "2",
        "VELOUR_ENGINE": "native",
        "VELOUR_ATTACKED": str(folder),
    }
    command = [sys.executable, "-m", "tests.sanitizer.load", str(seconds), str(seed), *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT)
    if "unexpected memory mapping" in done.stderr:  # vm.mmap_rnd_bits beyond what it knows
        raise Impossible(done.stderr.strip()[-200:])
    return done


def main() -> int:
    seconds, seed, kind = [*sys.argv[1:], *("60", "0", "address")[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        try:
            build(Path(folder), kind)
            result = attack(Path(folder), float(seconds), int(seed), kind)
        except Impossible as reason:
            print(f"not run: {reason}")
            return CANNOT
    print(result.stdout, result.stderr[-8000:], f"exit code {result.returncode}")
    return 0 if result.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
