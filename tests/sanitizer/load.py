"""Put the kernel that ``VELOUR_ATTACKED`` names in place of the installed one; then attack."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import velour_evaluators.kernels

NAME = "velour_evaluators.kernels._native"

spec = importlib.util.spec_from_file_location(NAME, os.environ["VELOUR_ATTACKED"])
assert spec is not None
assert spec.loader is not None
sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[NAME])
velour_evaluators.kernels._native = sys.modules[NAME]  # type: ignore[attr-defined]

sys.path.insert(0, str(Path(__file__).parent))
import attack  # noqa: E402 - the kernel must stand in its place first

attack.main()
