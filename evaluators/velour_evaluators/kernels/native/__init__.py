"""The compiled kernel of the evaluators, if there is one: the same arithmetic in C.

Every function takes and returns what its numpy counterpart does, to the last bit, so either may
be used; ``library.available()`` says which: see :class:`velour_plugin.plugin.Compiled`. Each module
stands beside the C file that it calls.
"""

from __future__ import annotations

from velour_plugin.plugin import Compiled

library = Compiled("velour_evaluators.kernels._native")
"""The compiled module of the evaluators."""
