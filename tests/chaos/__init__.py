"""Chaos tests: faults strike the system at random while clients use it; then the answers they got are verified."""
