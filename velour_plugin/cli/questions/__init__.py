"""Commands that ask the store a question."""
