"""Chaos tests: faults are injected at random while clients use a system; then their answers are verified."""
