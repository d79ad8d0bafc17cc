"""Changes of a member's phone: both numbers are notified, and the member can do nothing on the phone for a day.

Otherwise whoever can change where one-time passwords go could act as the member: by another number, or by letting an
employed member, whose number was not used so far, apply on the phone. The old number is notified of both, in whichever
order they happen.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBER_PHONE_CHANGED, ChangedPhone, MemberPhoneChangedData
from services.contracts.values import SHANGHAI
from services.kit.events.outbox import publish
from services.kit.problems import Conflict
from services.membership.identity import sessions, sms_codes
from services.membership.models import Member

HELD_FOR = timedelta(hours=24)


def apply_change(session: Session, member: Member, old_phone: str | None, old_affiliation: str) -> None:
    """Ends the member's sessions and one-time passwords if the phone has changed, and publishes it for both numbers.

    Each change is published, also while the number cannot be used to sign in. The replaced number is then stored, and
    published once more when the new one can be used to sign in. `member` has the new facts already.
    """
    is_changed = member.phone != old_phone
    replaced = (is_changed and old_phone) or member.replaced_phone
    can_sign_in = member.affiliation != "employer" and member.phone is not None
    if is_changed:
        # Passwords first: a concurrent sign-in by one creates a session, which is then ended.
        sms_codes.void_all_of_member(session, member.member_id, old_phone)
        sessions.end_all_of_member(session, member.member_id)
    if is_changed or (can_sign_in and old_affiliation == "employer"):
        _publish(session, member, replaced)
        member.replaced_phone = None if can_sign_in else replaced


def held_until(member: Member) -> datetime | None:
    """Until when the member can do nothing on the phone; None if there is no restriction."""
    if member.phone_changed_at is None or member.phone_changed_at + HELD_FOR <= datetime.now(UTC):
        return None
    return member.phone_changed_at + HELD_FOR


def refusal(member: Member) -> Conflict | None:
    """Why the member can do nothing on the phone now; None if there is no restriction."""
    until = held_until(member)
    if until is None:
        return None
    when = f"您的手机号在 24 小时内变更过，为保护您的账户，{in_shanghai(until)} 后才能办理。"
    detail = f"{when}如非本人要求，请立即联系所在工会。"
    return Conflict("phone_changed", "手机号刚变更，暂时不能办理", detail)


def in_shanghai(moment: datetime) -> str:
    """A moment as text in Shanghai's time, rounded up to the minute."""
    return f"{(moment + timedelta(seconds=59)).astimezone(SHANGHAI):%m月%d日 %H:%M}"


def _publish(session: Session, member: Member, replaced: str | None) -> None:
    changed_at = member.phone_changed_at = datetime.now(UTC)
    data = MemberPhoneChangedData(
        union_id=member.union_id,
        member_id=member.member_id,
        changed_at=changed_at,
        held_until=changed_at + HELD_FOR,
        numbers=ChangedPhone(old_phone=replaced, new_phone=member.phone),
    )
    publish(session, MEMBER_PHONE_CHANGED, data)
