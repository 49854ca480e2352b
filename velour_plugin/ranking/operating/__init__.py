"""Where to set the thresholds of scores, and what decisions are worth there."""
