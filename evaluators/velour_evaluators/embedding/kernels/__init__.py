"""Arithmetic of embeddings on arrays: nearest neighbours, purity, recall."""
