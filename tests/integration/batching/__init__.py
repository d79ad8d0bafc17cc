"""Batching with its real database, function by function and as a process."""
