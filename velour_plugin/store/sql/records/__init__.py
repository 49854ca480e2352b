"""What the store holds, one module a concept: how it is saved and found."""
