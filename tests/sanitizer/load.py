"""Put the modules in the folder ``VELOUR_ATTACKED`` in place of the installed ones; attack."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

for path in Path(os.environ["VELOUR_ATTACKED"]).glob("*.so"):
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])

from tests.sanitizer import attack  # noqa: E402 - the modules must stand in their places first

attack.main()
