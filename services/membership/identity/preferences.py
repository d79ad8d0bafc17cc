"""Preferences of an account on the pages, such as the columns of a list; they mean nothing to the services."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.contracts.operations.membership.preferences import (
    MOST_PREFERENCES,
    GetPreferencesRequest,
    Preference,
    PreferencesAnswer,
    SavePreferenceRequest,
)
from services.kit.problems import Conflict
from services.kit.rpc.work import Work
from services.membership.models import AccountPreference


def get_preferences(work: Work, _request: GetPreferencesRequest) -> PreferencesAnswer:
    """All preferences of the caller's account."""
    own = select(AccountPreference).where(AccountPreference.account_id == UUID(work.caller.account_id))
    found = work.session.scalars(own.order_by(AccountPreference.name))
    return PreferencesAnswer(items=[Preference(name=one.name, value=one.value) for one in found])


def save_preference(work: Work, request: SavePreferenceRequest) -> None:
    """Saves one; raises Conflict `too_many_preferences` for names beyond what pages use."""
    account_id = UUID(work.caller.account_id)
    saved = insert(AccountPreference).values(account_id=account_id, name=request.name, value=request.value)
    work.session.execute(
        saved.on_conflict_do_update(index_elements=["account_id", "name"], set_={"value": saved.excluded.value})
    )
    own = select(func.count()).where(AccountPreference.account_id == account_id)
    if (work.session.scalar(own) or 0) > MOST_PREFERENCES:
        raise Conflict("too_many_preferences", "保存的显示设置过多", f"每个账号最多保存 {MOST_PREFERENCES} 项。")
