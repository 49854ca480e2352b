"""Contracts as test suites: what every evaluator and every store must keep, a plugin's too.

Subclass one in a test module, and pytest runs all of it; it needs pytest, which Velour itself
does not. :mod:`velour_plugin.testing.plugins` installs a plugin for the time of a test.
"""

import pytest

# Before they are imported, so that a failing assertion shows its values, as in a test module
pytest.register_assert_rewrite("velour_plugin.testing.evaluators", "velour_plugin.testing.stores")
