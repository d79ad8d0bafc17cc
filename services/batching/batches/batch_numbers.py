"""Batch numbers: `cbc`, the union's code, the day, and a count of at least three digits within union and day."""

import re
from datetime import date

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.batching.models import BatchCounter
from services.contracts.shared import BATCH_NO_BEGINNING

_PARTS = re.compile(r"cbc(.{18})(\d{4})(\d{2})(\d{2})(\d{3,})")
"""A union's code has 18 characters."""


def parts_of(batch_no: str) -> tuple[str, date, int] | None:
    """The union's code, the day and the count of a batch number; None for another text."""
    found = _PARTS.fullmatch(batch_no)
    return found and (found[1], date(int(found[2]), int(found[3]), int(found[4])), int(found[5]))


def next_batch_no(session: Session, union_code: str, day: date) -> str:
    """A new, unique batch number; concurrent calls for one union wait for one another."""
    counted = (
        insert(BatchCounter)
        .values(union_code=union_code, day=day, last=1)
        .on_conflict_do_update(index_elements=["union_code", "day"], set_={"last": BatchCounter.last + 1})
        .returning(BatchCounter.last)
    )
    return f"{BATCH_NO_BEGINNING}{union_code}{day:%Y%m%d}{session.execute(counted).scalar_one():03d}"
