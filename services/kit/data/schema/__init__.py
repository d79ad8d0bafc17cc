"""The tables as migrations make them: their version, which code they serve, and steps for large tables."""
