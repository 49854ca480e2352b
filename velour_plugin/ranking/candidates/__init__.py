"""Which evaluations are ranked, over which datums, and the ledger of each."""
