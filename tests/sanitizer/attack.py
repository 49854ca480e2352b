"""Throw random and hostile arrays at the compiled modules: see README.md.

Each call must return or refuse; whatever else happens, the sanitizers that the modules were
built with say so and end the process. At the end stands, as JSON, how often each function
returned, refused, and had no memory.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

import numpy as np
from velour_evaluators.kernels.native import library as evaluators

from tests.sanitizer import contents, detections, labellings
from tests.sanitizer.sabotage import REFUSALS, Saboteur
from tests.sanitizer.scribbler import Scribbler
from velour_plugin.native.coco import UseJson
from velour_plugin.native.library import library as core

ATTACKS = {
    attack.__name__: attack
    for attack in (*contents.ATTACKS, *detections.ATTACKS, *labellings.ATTACKS)
}
"""Of each compiled function, by its name."""


def main() -> None:
    """Attack for some time: ``SECONDS SEED [FUNCTION ...]``, or all functions.

    On a slow machine it takes longer, up to ten times, until each call got through and was refused.
    """
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    start = time.monotonic()
    attacked = [
        Saboteur(module, seed, Scribbler.of(module))
        for module in (core.functions, evaluators.functions)
    ]
    core.functions, evaluators.functions = attacked
    names = sys.argv[3:] or [*ATTACKS]
    calls = 0
    while (spent := time.monotonic() - start) < 10 * seconds:
        if spent > seconds and all(is_met(attacked, name) for name in names):
            break
        rng = np.random.default_rng([seed, calls])
        with suppress(*REFUSALS, UseJson):
            ATTACKS[names[calls % len(names)]](rng)
        calls += 1
    print(json.dumps({name: report(attacked, name) for name in names}))


def is_met(attacked: list[Saboteur], name: str) -> bool:
    """Whether a function returned at least once, and refused at least once."""
    met = report(attacked, name)
    return bool(met["returned"] and met["refused"])


def report(attacked: list[Saboteur], name: str) -> dict[str, int]:
    """How often a function returned, refused, and had no memory."""
    return {
        what: sum(getattr(one, what)[name] for one in attacked)
        for what in ("returned", "refused", "without_memory")
    }
