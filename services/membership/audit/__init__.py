"""The audit log: its chain, its signed heads, and searches."""
