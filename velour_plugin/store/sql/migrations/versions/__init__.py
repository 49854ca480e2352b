"""One file a step; names begin with the revision."""
