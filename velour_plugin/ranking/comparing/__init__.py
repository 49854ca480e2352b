"""Compare two runs: differences, how sure they are, margins, and looks that are made again."""
