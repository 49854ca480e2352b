"""Which model to take, over all datasets that have datums for a need."""
