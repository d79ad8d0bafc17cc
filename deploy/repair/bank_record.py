"""The bank's own record of batches, for batches that no service of ours knows any more.

It is a JSON list with the fields of `batch.submitted`; the parts of a batch may come in any number of items.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


class InvalidRecord(Exception):
    """The bank's record cannot be read; the message says why."""


Tell = Callable[[str, list[str]], dict[str, Any]]
"""Asks membership about `batching` (applications) or `unions`, by ids."""


@dataclass
class BankBatch:
    """A batch as the bank has it: the message's fields, and its applicants by application."""

    facts: Mapping[str, Any]
    applicants: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def read_record(path: Path) -> dict[str, BankBatch]:
    """Returns the bank's batches by number; raises InvalidRecord."""
    batches: dict[str, BankBatch] = {}
    try:
        for item in json.loads(path.read_text("utf-8")):
            batch = batches.setdefault(item["batch_no"], BankBatch(item))
            batch.applicants |= {one["application_id"]: one for one in item["applicants"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidRecord(f"{path}: {type(error).__name__}") from None
    return batches


def facts_of(batches: Mapping[str, BankBatch], moment: datetime, tell: Tell) -> tuple[dict[str, Any], list[str]]:
    """Returns what batching is to learn of batches that the bank alone knows, and lines for a person.

    Who is in such a batch is submitted. When it was is not known: the moment of the restore is the earliest.
    """
    facts: dict[str, list[Any]] = {"batch_nos": sorted(batches), "batches": [], "applications": []}
    left = []
    for batch_no, batch in sorted(batches.items()):
        known = tell("batching", sorted(batch.applicants)).get("applications", [])
        strangers = batch.applicants.keys() - {one["application_id"] for one in known}
        if strangers:
            numbers = ", ".join(sorted(str(batch.applicants[one]["member_no"]) for one in strangers))
            left.append(f"batch {batch_no} of the bank: do not queue again, their applications are lost: {numbers}")
        if not known:
            continue
        (union,) = tell("unions", [known[0]["union_id"]])["unions"]
        facts["batches"].append(_batch(batch, union, moment, known))
        facts["applications"] += [_submitted(one, batch_no) for one in known]
    return facts, left


def _batch(
    batch: BankBatch, union: Mapping[str, Any], moment: datetime, known: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    said = batch.facts
    return {
        "batch_no": said["batch_no"],
        "union": union,
        "personal": bool(known[0]["personal"]),
        "channel": said["channel"],
        "outlet_code": said["outlet_code"],
        "outlet_name": "",
        "submitted_at": moment.isoformat(),
        "total": len(known),
        "contact_name": said["contact"]["name"],
        "contact_phone": said["contact"]["phone"],
    }


def _submitted(application: Mapping[str, Any], batch_no: str) -> dict[str, Any]:
    return {**application, "state": "submitted", "batch_no": batch_no, "version": application["version"] + 1}
