"""Build the compiled kernel where a C compiler is there; all metadata is in pyproject.toml.

Without a compiler, or where it fails, the install goes on and numpy does the same arithmetic.
"""

import os
import sysconfig

from setuptools import Extension, setup

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # has no stable ABI
WINDOWS = os.name == "nt"

# -ffp-contract=off: a fused multiply-add rounds once where numpy rounds twice
FLAGS = ["/O2", "/fp:precise"] if WINDOWS else ["-O3", "-ffp-contract=off", "-pthread", "-g0"]

setup(
    ext_modules=[
        Extension(
            "velour_evaluators.kernels._native",
            sources=["evaluators/velour_evaluators/kernels/native.c"],
            extra_compile_args=FLAGS,
            extra_link_args=[] if WINDOWS else ["-pthread"],
            py_limited_api=not FREE_THREADED,
            optional=True,
        )
    ],
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
