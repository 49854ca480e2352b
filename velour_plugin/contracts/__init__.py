"""Contracts of what plugins offer: formats, autologgers, and lazy offers."""
