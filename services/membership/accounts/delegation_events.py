"""Publishes that a deputy was named, or that a delegation ended early, so that those concerned are notified."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.events.membership import DELEGATION_CHANGED, DelegationChangedData, DelegationPeople
from services.kit.events.outbox import publish
from services.kit.rpc.methods import Caller
from services.membership.accounts.account_notifications import name_of
from services.membership.models import Account, Delegation


def publish_delegation(
    session: Session, delegation: Delegation, principal: Account, deputy: Account, by: Caller
) -> None:
    """Publishes the delegation as it is now, in the caller's transaction."""
    data = DelegationChangedData(
        delegation_id=delegation.delegation_id,
        version=delegation.version,
        change="ended" if delegation.ended_at else "named",
        principal_id=principal.account_id,
        union_id=delegation.union_id,
        deputy_id=deputy.account_id,
        deputy_union_id=deputy.union_id,
        changed_by=UUID(by.account_id),
        first_day=delegation.first_day,
        last_day=delegation.last_day,
        people=DelegationPeople(
            principal_name=principal.display_name,
            deputy_name=deputy.display_name,
            changed_by_name=name_of(by),
            reason=delegation.reason,
        ),
    )
    publish(session, DELEGATION_CHANGED, data, subject=str(delegation.delegation_id))
