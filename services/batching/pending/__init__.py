"""The pending list: entries, channels, checks, corrections."""
