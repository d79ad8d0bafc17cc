"""Simulators of external systems: the retirement registry, the bank, the SMS provider."""
