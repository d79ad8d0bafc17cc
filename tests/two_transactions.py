"""Two transactions at once, for what must not be missed when both are under way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress

from sqlalchemy.orm import Session

_SECONDS_UNHINDERED = 0.5


def at_once(
    begin: Callable[[], AbstractContextManager[Session]],
    first: Callable[[Session], None],
    second: Callable[[Session], None],
) -> None:
    """Does both; the second commits before the first, unless it waits for it."""

    def do_second() -> None:
        with begin() as session:
            second(session)

    with ThreadPoolExecutor(1) as executor:
        with begin() as session:
            first(session)
            done = executor.submit(do_second)
            with suppress(TimeoutError):
                done.result(_SECONDS_UNHINDERED)
        done.result(60)
