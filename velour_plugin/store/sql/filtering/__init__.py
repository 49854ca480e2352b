"""From a filter to SQL conditions on datums."""
