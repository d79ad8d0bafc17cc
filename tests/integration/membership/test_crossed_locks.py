"""Concurrent commands on the same accounts take their locks in one order, so that none ends in a deadlock."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from deploy.local.client import wait_until
from services.contracts.operations.membership.accounts import RequestPhoneChangeRequest
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership.accounts import phone_changes
from services.membership.identity import lockout
from services.membership.models import Account, PhoneChange
from tests.integration.membership.holder import an_administrator
from tests.integration.membership.office import Office

_WAITING = text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


def is_somebody_waiting(office: Office) -> bool:
    with office.engine.connect() as connection:
        return bool(connection.scalar(_WAITING))


def test_administrators_who_ask_for_one_anothers_new_numbers_at_once_both_get_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (an_administrator(office, office.superior, name) for name in ("wuqiang", "zhaolei"))
    here: list[Caller] = []
    step = phone_changes.refuse_own_phone

    def meet(session: Any, caller: Caller, *arguments: Any) -> None:
        here.append(caller)
        wait_until(lambda: len(here) == 2 or is_somebody_waiting(office), "the other has come as far as it can")
        step(session, caller, *arguments)

    def ask(caller: Caller, holder: Caller) -> None:
        account_id = UUID(holder.account_id)
        request = RequestPhoneChangeRequest(account_id=account_id, phone="13912345678", reason="原手机遗失")
        with office.begin() as session:
            phone_changes.request_phone_change(Work(session, caller), request)

    monkeypatch.setattr(phone_changes, "refuse_own_phone", meet)
    with ThreadPoolExecutor(2) as pool:
        for asked in [pool.submit(ask, one, other), pool.submit(ask, other, one)]:
            asked.result(timeout=60)
    with office.begin() as session:
        assert session.query(PhoneChange).count() == 2


def test_an_account_is_unlocked_while_a_device_of_its_holder_fails(office: Office, account: Account) -> None:
    counters = [lockout.of_name(account.account_name), lockout.of_device(account.account_id, uuid4())]
    for counter in counters:
        with office.begin() as session:
            lockout.count_attempt(session, counter)

    def forget() -> None:
        with office.begin() as session:
            lockout.forget_failures(session, session.get_one(Account, account.account_id))

    with ThreadPoolExecutor(1) as pool, office.begin() as session:
        lockout.count_attempt(session, counters[1])
        forgetting = pool.submit(forget)
        wait_until(lambda: is_somebody_waiting(office), "the counts are being forgotten")
        lockout.count_attempt(session, counters[0])
        session.commit()
        forgetting.result(timeout=60)
