"""Embeddings: does a model put like with like?"""
