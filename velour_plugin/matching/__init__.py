"""What an evaluation computes (the question), and matching a dataset for it, in parallel."""
