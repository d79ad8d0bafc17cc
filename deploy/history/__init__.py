"""Fills an empty demo system with months of a city's work, done by the services themselves on days of the past."""
