"""How far into a sheet we look."""

LAST_HEADING_ROW = 20
"""The last row in which headings are searched; titles and notes may stand above them."""
MOST_COLUMNS = 200
"""Columns that are read."""
