"""The one order in which dead letters are listed, by services, the gateway and the command line."""

from collections.abc import Mapping
from typing import Any


def oldest_first(letter: Mapping[str, Any]) -> tuple[str, str, str]:
    """The sort key: the last failure (ISO 8601 in UTC), then queue and id."""
    return letter["failed_at"] or "", letter["queue"], letter["id"]
