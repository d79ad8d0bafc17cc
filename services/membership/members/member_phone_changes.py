"""A changed phone: who has the new number could sign in as the member, so both numbers are told, and the member can do
nothing on the phone for a day.

Whoever can change where one-time passwords go could else become the member: by another number, or by letting a member
of an employer, whose number nobody has used so far, apply on the phone. Neither goes unheard by the number before, in
whichever order.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBER_PHONE_CHANGED, ChangedPhone, MemberPhoneChangedData
from services.kit.events.outbox import publish
from services.kit.problems import Conflict
from services.membership.identity import sessions, sms_codes
from services.membership.members.member_search import SHANGHAI
from services.membership.models import Member

HELD_FOR = timedelta(hours=24)


def apply_change(session: Session, member: Member, old_phone: str | None, old_affiliation: str) -> None:
    """Ends the member's sessions and one-time passwords where the phone is another now, and tells both numbers of it.

    Each change is published, though nobody can sign in by the number yet. The number that was replaced is remembered,
    and published once more when somebody can sign in by the one in its place. `member` has the new facts already.
    """
    is_changed = member.phone != old_phone
    replaced = (is_changed and old_phone) or member.replaced_phone
    can_sign_in = member.affiliation != "employer" and member.phone is not None
    if is_changed:
        # The passwords first: who is signing in by one at this moment has a session to be ended afterwards.
        sms_codes.void_all_of_member(session, member.member_id, old_phone)
        sessions.end_all_of_member(session, member.member_id)
    if is_changed or (can_sign_in and old_affiliation == "employer"):
        _publish(session, member, replaced)
        member.replaced_phone = None if can_sign_in else replaced


def held_until(member: Member) -> datetime | None:
    """Until when the member can change and ask for nothing on the phone; None where nothing is in the way."""
    if member.phone_changed_at is None or member.phone_changed_at + HELD_FOR <= datetime.now(UTC):
        return None
    return member.phone_changed_at + HELD_FOR


def refusal(member: Member) -> Conflict | None:
    """Why nothing may be done on the phone now; None where nothing is in the way."""
    until = held_until(member)
    if until is None:
        return None
    when = f"您的手机号在 24 小时内变更过，为保护您的账户，{in_shanghai(until)} 后才能办理。"
    detail = f"{when}如非本人要求，请立即联系所在工会。"
    return Conflict("phone_changed", "手机号刚变更，暂时不能办理", detail)


def in_shanghai(moment: datetime) -> str:
    """A moment as people there read it, the minute rounded up."""
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
