"""Fills in the digest that finds a number by its end, for members that an earlier release registered or changed."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.kit.data.bulk import types_of, values_table
from services.membership.members.member_documents import document_end_digest
from services.membership.models import Member

CHUNK = 500
"""Members in one transaction, so that nobody waits long for a lock."""


def fill_some(session: Session) -> int:
    """Fills in the next CHUNK members that lack it; several processes may do so at once. Returns how many."""
    lacking = (
        select(Member.member_id, Member.document_number)
        .where(Member.document_end.is_(None))
        .order_by(Member.member_id)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    ends = [(row.member_id, document_end_digest(row.document_number)) for row in session.execute(lacking)]
    if ends:
        end = values_table("ended", types_of(Member, ("member_id", "document_end")), ends)
        session.execute(
            update(Member)
            .where(Member.member_id == end.c.member_id)
            .values(document_end=end.c.document_end)
            .execution_options(synchronize_session=False)
        )
    return len(ends)
