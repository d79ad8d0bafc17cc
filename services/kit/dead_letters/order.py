"""The one order in which dead letters are listed, by services, the gateway and the command line."""

from collections.abc import Mapping
from typing import Any


def oldest_first(letter: Mapping[str, Any]) -> tuple[str, str, str]:
    """By the last failure; letters of the same moment by queue and id. Moments are ISO 8601 in UTC."""
    return letter["failed_at"] or "", letter["queue"], letter["id"]
