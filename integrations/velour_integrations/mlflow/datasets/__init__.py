"""Velour datasets as MLflow datasets, and MLflow's frames as Velour datasets."""
