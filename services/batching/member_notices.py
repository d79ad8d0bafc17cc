"""Publishes whom to tell of an application's way: members with a mobile number, when listed and when submitted."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from services.contracts.events.batching import MEMBER_NOTICES_DUE, MemberNoticesDueData, NotifiedMember
from services.contracts.values import is_mobile
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish


def publish_notices(
    session: Session, whole: MemberNoticesDueData, applications: Iterable[tuple[Any, Any, str | None]]
) -> None:
    """Publishes the notices of applications: ids of the application and of its member, and the telephone number.

    Nothing is published of members without a mobile number.
    """
    members = [
        NotifiedMember(application_id=application_id, member_id=member_id, phone=phone)
        for application_id, member_id, phone in applications
        if phone and is_mobile(phone)
    ]
    for part in in_chunks(members):
        publish(session, MEMBER_NOTICES_DUE, replace(whole, members=list(part)))
