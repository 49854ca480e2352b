"""The language of filters: text, JSON and Python to one tree, typed and checked."""
