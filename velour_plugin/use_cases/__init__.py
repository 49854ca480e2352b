"""Use cases: what public functions and commands do, from the call to the answer."""
