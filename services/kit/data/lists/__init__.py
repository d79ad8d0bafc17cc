"""Lists in SQL: search, order, pages."""
