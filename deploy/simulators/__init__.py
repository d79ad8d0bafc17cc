"""Simulators of external systems: the retirement registry, the bank, the mutual-aid society, the SMS provider."""
