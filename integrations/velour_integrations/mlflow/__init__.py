"""Velour at home in MLflow: evaluator, datasets, what a run gets, registry, run context.

This page imports nothing: MLflow loads modules below it while it is itself being imported.
"""
