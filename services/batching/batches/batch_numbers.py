"""Batch numbers: `cbc`, the union's code, the day, and a count of at least three digits within union and day."""

from datetime import date

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.batching.models import BatchCounter
from services.contracts.shared import BATCH_NO_BEGINNING


def next_batch_no(session: Session, union_code: str, day: date) -> str:
    """A new, unique batch number; concurrent calls for one union wait for one another."""
    counted = (
        insert(BatchCounter)
        .values(union_code=union_code, day=day, last=1)
        .on_conflict_do_update(index_elements=["union_code", "day"], set_={"last": BatchCounter.last + 1})
        .returning(BatchCounter.last)
    )
    return f"{BATCH_NO_BEGINNING}{union_code}{day:%Y%m%d}{session.execute(counted).scalar_one():03d}"
