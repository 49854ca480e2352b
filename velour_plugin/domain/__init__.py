"""The nouns of Velour: values that refuse nonsense at birth, and do no I/O."""
