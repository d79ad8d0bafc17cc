"""Errors that the bank's feedback can have on demand, and how its receipt must name them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Receipt = Mapping[str, Any]

_LATE_CARD = "already_issued"
"""The only reason to reject a valid line: a late card of a member who has another one by then."""


class BankFault(NamedTuple):
    """The order that makes the simulator produce the error, and the code and field in the receipt (None for none)."""

    order: Mapping[str, Any]
    code: str | None = None
    field: str | None = None
    spoils_all: bool = False
    """Whether the whole message is rejected."""


REUSED = "feedback_id reused"
BANK_FAULTS = {
    "bad check digit": BankFault({"faulty_line": "card_no"}, "bad_schema", "card_no"),
    "missing field": BankFault({"faulty_line": "missing"}, "bad_schema", "outcome"),
    "unknown value": BankFault({"faulty_line": "outcome"}, "bad_schema", "outcome"),
    "before submission": BankFault({"ahead_seconds": -2 * 86400}, "before_submission", "processed_at", spoils_all=True),
    REUSED: BankFault({}, "feedback_id_reused", "feedback_id", spoils_all=True),
    "upper-case signature": BankFault({"upper_case_signature": True}),
}
SOUND = BankFault({})


def is_answered_as(receipt: Receipt, fault: BankFault) -> bool:
    """Whether a receipt names only this error, and all other lines were accepted."""
    if receipt["applied"] + receipt["repeated"] + receipt["rejected"] != receipt["results"]:
        return False
    if fault.spoils_all:
        reasons = [(one["code"], one["field"], one["lines"]) for one in receipt["rejections"]]
        return reasons == [(fault.code, fault.field, [])] and receipt["rejected"] == receipt["results"]
    found = [one for one in receipt["rejections"] if one["code"] != _LATE_CARD]
    if fault.code is None:
        return not found
    last = receipt["results"] - 1
    return [(one["code"], one["field"], one["lines"]) for one in found] == [(fault.code, fault.field, [last])]
