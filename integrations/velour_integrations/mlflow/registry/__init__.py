"""Model versions and their evaluations; aliases that move to the winner of a ranking."""
