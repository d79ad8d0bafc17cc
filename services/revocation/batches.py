"""What revocation knows of batches: kept from batching's events, which come in any order and more than once."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.revocation.models import Application, Batch

OVER = ("issued", "refused", "released")
"""The states in which a revocation no longer changes an application."""


@dataclass(frozen=True)
class Progress:
    """How far a batch is: persons in all, and how many the bank issued or refused, or were released."""

    total: int
    issued: int
    refused: int
    released: int

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left that a revocation could release."""
        return self.issued + self.refused + self.released >= self.total


def keep_batch(session: Session, submitted: dict[str, Any]) -> None:
    """Keeps what one part of a submitted batch tells."""
    union = submitted["union"]
    row = {
        "batch_no": submitted["batch_no"],
        "union_id": union["union_id"],
        "union_code": union["code"],
        "union_name": union["name"],
        "superior_union_id": union["superior_union_id"],
        "superior_ids": union["superior_ids"],
        **{name: submitted[name] for name in ("channel", "outlet_name", "total", "submitted_at")},
    }
    session.execute(insert(Batch).values(row).on_conflict_do_nothing())
    keep_states(session, submitted["batch_no"], submitted["applications"], "submitted")


def keep_states(session: Session, batch_no: str, steps: Iterable[dict[str, Any]], state: str) -> None:
    """Takes applications to a state, but for those of which something newer is known."""
    rows = [
        {"application_id": step["application_id"], "batch_no": batch_no, "version": step["version"], "state": state}
        # In one order, so that two events about the same applications cannot lock each other out.
        for step in sorted(steps, key=itemgetter("application_id"))
    ]
    statement = insert(Application).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Application.application_id],
            set_={"version": statement.excluded.version, "state": statement.excluded.state},
            where=Application.version < statement.excluded.version,
        )
    )


def progress_of(session: Session, totals: dict[str, int]) -> dict[str, Progress]:
    """How far these batches (number → persons in all) are, by number."""
    counted = select(Application.batch_no, Application.state, func.count()).where(Application.batch_no.in_(totals))
    counts = {
        (batch_no, state): count
        for batch_no, state, count in session.execute(counted.group_by(Application.batch_no, Application.state))
    }
    return {
        batch_no: Progress(total, *(counts.get((batch_no, state), 0) for state in OVER))
        for batch_no, total in totals.items()
    }
