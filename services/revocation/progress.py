"""The progress of batches: how many applications were issued, refused or released."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.revocation.models import Application

OVER = ("issued", "refused", "released")
"""The states in which a revocation no longer changes an application."""


@dataclass(frozen=True)
class Progress:
    """The progress of a batch: persons in all, and how many were issued, refused or released."""

    total: int
    issued: int
    refused: int
    released: int

    @property
    def is_decided(self) -> bool:
        """Whether a revocation could release nothing any more."""
        return self.issued + self.refused + self.released >= self.total


def progress_of(session: Session, totals: dict[str, int]) -> dict[str, Progress]:
    """The progress of batches (batch number → persons in all), by batch number."""
    counted = select(Application.batch_no, Application.state, func.count()).where(Application.batch_no.in_(totals))
    counts = {
        (batch_no, state): count
        for batch_no, state, count in session.execute(counted.group_by(Application.batch_no, Application.state))
    }
    return {
        batch_no: Progress(total, *(counts.get((batch_no, state), 0) for state in OVER))
        for batch_no, total in totals.items()
    }
