"""How far batches are: how many applications the bank issued or refused, or were released."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.revocation.models import Application

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
