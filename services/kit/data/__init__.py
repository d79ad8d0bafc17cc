"""The database of a service: sessions, encrypted columns, statements for many rows, migrations."""
