"""Build the compiled kernel where a C compiler is there; all metadata is in pyproject.toml.

Without a compiler, or where it fails, the install goes on and numpy does the same arithmetic. Such
a wheel holds nothing of one machine and is tagged ``py3-none-any``; ``CC=false`` makes one.
"""

import os
import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # has no stable ABI
WINDOWS = os.name == "nt"

CORE = "velour_plugin/native"
DETECTION = "evaluators/velour_evaluators/kernels/native"
SHARED = sorted({*glob(f"{CORE}/*.c")} - {f"{CORE}/module.c"})
DETECTION_ROOMS = sorted(glob(f"{DETECTION}/*.c"))
HEADERS = sorted(glob(f"{CORE}/*.h") + glob(f"{DETECTION}/*.h"))

# -ffp-contract=off: a fused multiply-add rounds once where numpy rounds twice
FLAGS = ["-O3", "-ffp-contract=off", "-pthread", "-g0", "-fvisibility=hidden"]
LINK = ["-pthread"]
if WINDOWS:
    FLAGS, LINK = ["/O2", "/fp:precise"], []


def extension(name: str, sources: list[str]) -> Extension:
    """A module of C files; those of the core are compiled into each."""
    return Extension(
        name,
        sources=sources,
        depends=HEADERS,
        include_dirs=[CORE],
        extra_compile_args=FLAGS,
        extra_link_args=LINK,
        py_limited_api=not FREE_THREADED,
        optional=True,
    )


class TaggedWheel(bdist_wheel):
    """A wheel whose tag says whether something compiled is in it."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform; setuptools asks for it when everything is built."""
        build = self.get_finalized_command("build_ext")
        names = [module.name for module in self.distribution.ext_modules]
        self.root_is_pure = not any(os.path.exists(build.get_ext_fullpath(name)) for name in names)
        return super().get_tag()


setup(
    ext_modules=[
        extension("velour_plugin.native._native", [*SHARED, f"{CORE}/module.c"]),
        extension("velour_evaluators.kernels._native", [*SHARED, *DETECTION_ROOMS]),
    ],
    cmdclass={"bdist_wheel": TaggedWheel},
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
