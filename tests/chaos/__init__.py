"""Faults at work: the system is hurt at random while clients use it, and what they were told is held against it."""
