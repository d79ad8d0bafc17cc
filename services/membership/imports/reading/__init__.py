"""Reads sheets of every format that people send, in a process of its own."""
