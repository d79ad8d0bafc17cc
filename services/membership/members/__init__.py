"""Members: registration, numbers, search, changes, disclosure."""
