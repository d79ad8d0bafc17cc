"""Batching: the pending list, the batches for the bank, and what the bank answers."""
