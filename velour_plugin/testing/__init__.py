"""Contracts as test suites: what every evaluator and every store must keep, a plugin's too.

Subclass one in a test module and pytest runs all of it. Needs pytest, which Velour itself does not.
"""
