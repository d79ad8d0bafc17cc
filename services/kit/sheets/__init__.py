"""Reads sheets of every format that people send."""
