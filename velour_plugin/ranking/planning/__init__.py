"""How many datums to collect for a wanted certainty."""
