"""Known devices, which have signed in an account or a member; failures of other devices do not delay them."""

from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.membership.models import Account, KnownDevice, Member


def remember(session: Session, device_id: UUID | None, holder_id: UUID) -> None:
    """Records the device as known for the account or member."""
    if device_id is None:
        return
    session.execute(
        insert(KnownDevice)
        .values(device_id=device_id, holder_id=holder_id)
        .on_conflict_do_update(
            index_elements=[KnownDevice.device_id, KnownDevice.holder_id], set_={"used_at": func.now()}
        )
    )


def forget_all(session: Session, holder_id: UUID, but: UUID | None = None) -> None:
    """Forgets all devices of the account except one, for others may have been used by somebody else."""
    other = KnownDevice.device_id.is_distinct_from(but)
    session.execute(delete(KnownDevice).where(KnownDevice.holder_id == holder_id, other))


def has_signed_in_anybody(session: Session, device_id: UUID | None) -> bool:
    """Whether the device has signed in any account or member."""
    return bool(session.scalar(select(exists().where(KnownDevice.device_id == device_id))))


def account_of(session: Session, device_id: UUID | None, account_name: str) -> UUID | None:
    """The account of the name, if the device has signed it in; None for an unknown device or account."""
    return session.scalar(
        select(Account.account_id)
        .join(KnownDevice, KnownDevice.holder_id == Account.account_id)
        .where(Account.account_name == account_name, KnownDevice.device_id == device_id)
    )


def has_signed_in(session: Session, device_id: UUID | None, holder_id: UUID) -> bool:
    """Whether the device has signed in this account or member."""
    return session.get(KnownDevice, (device_id, holder_id)) is not None if device_id else False


def has_signed_in_phone(session: Session, device_id: UUID | None, digest: bytes) -> bool:
    """Whether the device has signed in a member with this telephone."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    KnownDevice.device_id == device_id,
                    KnownDevice.holder_id == Member.member_id,
                    Member.phone_digest == digest,
                )
            )
        )
    )
