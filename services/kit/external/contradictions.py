"""The error for a line of an outside party's message that cannot be true."""


class Contradiction(Exception):
    """A line contradicts what is known; `code` is stable and for the receipt and the rejected queue."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
