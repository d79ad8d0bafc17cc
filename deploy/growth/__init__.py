"""Fills empty databases with months of made-up work, to measure sizes and plans at the size of a city."""
