"""Batching: the pending list, the batches for the bank, and the bank's feedback."""
