"""The error of a file that is no sheet of members."""


class UnreadableSheet(ValueError):
    """A file, or a sheet, that cannot be read; the message says in Chinese why, and what to do."""
