"""Tells the mutual-aid society which members can be insured: those whose card was made."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.external import insurer
from services.contracts.external.insurer_keys import is_connected
from services.contracts.values import SHANGHAI
from services.kit.data.bulk import is_any_of
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import new_message_id
from services.membership.enrolments.link import send_to_insurer
from services.membership.models import Member, Union


def tell_eligible(session: Session, issued_at: Mapping[UUID, datetime]) -> None:
    """Sends the members whose cards were issued at these times and who have not left, if the society is connected."""
    if not is_connected():
        return
    columns = (Member.member_id, Member.member_no, Union.code)
    of_members = select(*columns).join(Union, Union.union_id == Member.union_id)
    rows = session.execute(
        of_members.where(is_any_of(Member.member_id, issued_at), Member.left_at.is_(None)).order_by(Member.member_no)
    ).all()
    for part in in_chunks(rows):
        members = [
            {
                "member_no": row.member_no,
                "union_code": row.code,
                "eligible_from": issued_at[row.member_id].astimezone(SHANGHAI).date().isoformat(),
            }
            for row in part
        ]
        send_to_insurer(session, insurer.ELIGIBLE, {"message_id": new_message_id(), "members": members})
