"""What users do, from the call to the answer; functions and commands both begin here."""
