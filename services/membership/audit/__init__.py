"""The audit log: its chain, its signed heads, searches in it."""
