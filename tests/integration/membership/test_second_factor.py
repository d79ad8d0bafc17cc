"""The second factor: turned on and off, required at sign-in, lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pyotp import TOTP
from sqlalchemy import select, update

from services.contracts.events.membership import SESSIONS_ENDED
from services.contracts.operations.membership.accounts import AccountRequest, ResetPasswordRequest
from services.contracts.operations.membership.identity import (
    ChangePasswordRequest,
    CurrentPasswordRequest,
    SecondFactorCodeRequest,
    SessionRequest,
)
from services.kit.problems import Conflict, Forbidden, Invalid, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.kit.settings import read_settings
from services.membership.accounts import lost_second_factors, reset_links
from services.membership.identity import own_account, passwords, second_factor, sessions
from services.membership.identity.next_step import SecondFactorSettings
from services.membership.models import Account, FailureCount, RecoveryCode
from tests.integration.membership.holder import (
    PASSWORD,
    VISITOR,
    a_link_sent,
    a_session_of,
    give_phone,
    sign_in_and_stay,
    work_of,
)
from tests.integration.membership.office import Office, a_caller

BY_PASSWORD = CurrentPasswordRequest(current_password=PASSWORD)
BY_ANOTHER = CurrentPasswordRequest(current_password="not the password")


@pytest.fixture
def clerk(office: Office, account: Account) -> Account:
    """A clerk who has chosen a password."""
    with office.begin() as session:
        session.get_one(Account, account.account_id).must_change_password = False
    return account


def turn_on(office: Office, holder: Caller) -> tuple[str, list[str], Caller]:
    """The secret, the recovery codes, and the caller of the new session; the current codes are unused."""
    with office.begin() as session:
        secret = second_factor.enrol(work_of(office, session, holder), BY_PASSWORD).secret
    with office.begin() as session:
        answer = second_factor.confirm(work_of(office, session, holder), a_code(TOTP(secret).now()))
    pass_time(office)
    return secret, answer.recovery_codes, Caller.from_dict(answer.session.caller)


def pass_time(office: Office) -> None:
    """Makes the used codes old."""
    with office.begin() as session:
        session.execute(update(Account).values(totp_last_step=Account.totp_last_step - 10))


def a_code(code: str) -> SecondFactorCodeRequest:
    return SecondFactorCodeRequest(code=code)


def half_in(office: Office) -> Caller:
    """Who has proved the password only."""
    answer = sign_in_and_stay(office)
    assert answer["account"]["next_step"] == "second_factor"
    return Caller.from_dict(answer["session"]["caller"])


def pass_it(office: Office, holder: Caller, code: str) -> dict[str, Any]:
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(second_factor.verify(work_of(office, session, holder), a_code(code)))
    return answer


def is_wrong(office: Office, holder: Caller, code: str) -> bool:
    with pytest.raises(Invalid, match="second_factor_wrong"):
        pass_it(office, holder, code)
    return True


def test_an_account_with_a_second_factor_signs_in_by_a_code_only(office: Office, clerk: Account) -> None:
    secret, _, _ = turn_on(office, a_session_of(office, clerk))
    limited = half_in(office)
    assert limited.roles == frozenset({"limited"})

    answer = pass_it(office, limited, TOTP(secret).now())

    assert (answer["account"]["next_step"], answer["session"]["caller"]["roles"]) == (None, ["clerk"])
    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        sessions.use(Work(session, VISITOR), SessionRequest(session_id=UUID(limited.session_id)))


def test_a_password_chosen_by_a_link_from_above_does_not_replace_the_code(office: Office, clerk: Account) -> None:
    give_phone(office, clerk)
    turn_on(office, a_session_of(office, clerk))
    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "administrator"))
        reset_links.create_reset_link(work, AccountRequest(account_id=clerk.account_id))
    with office.begin() as session:
        request = ResetPasswordRequest(token=a_link_sent(office), new_password="a much better one")
        reset_links.reset_password(Work(session, Caller()), request)

    answer = sign_in_and_stay(office, password="a much better one")

    assert (answer["account"]["next_step"], answer["session"]["caller"]["roles"]) == ("second_factor", ["limited"])


def test_a_code_counts_once_and_not_for_long(office: Office, clerk: Account) -> None:
    secret, _, _ = turn_on(office, a_session_of(office, clerk))
    code = TOTP(secret).now()
    pass_it(office, half_in(office), code)

    assert is_wrong(office, half_in(office), code)
    assert is_wrong(office, half_in(office), TOTP(secret).at(datetime.now(UTC) - timedelta(minutes=2)))
    assert is_wrong(office, half_in(office), TOTP(secret).at(datetime.now(UTC) + timedelta(minutes=2)))


def test_each_recovery_code_lets_in_once_however_it_is_written(office: Office, clerk: Account) -> None:
    _, codes, _ = turn_on(office, a_session_of(office, clerk))
    assert len(set(codes)) == 10

    pass_it(office, half_in(office), codes[0].lower().replace("-", " "))

    assert is_wrong(office, half_in(office), codes[0])
    pass_it(office, half_in(office), codes[1])
    with office.begin() as session:
        kept = session.scalars(select(RecoveryCode.code_digest)).all()
    assert not any(codes[0].encode() in digest for digest in kept)


def test_wrong_codes_end_the_session_though_the_password_is_right_each_time(office: Office, clerk: Account) -> None:
    secret, _, _ = turn_on(office, a_session_of(office, clerk))
    limited = half_in(office)
    for _ in range(2):
        assert is_wrong(office, limited, "000000")
    limited = half_in(office)
    for _ in range(3):
        assert is_wrong(office, limited, "000000")

    with pytest.raises(Problem, match="session_ended"):
        pass_it(office, limited, TOTP(secret).now())
    with pytest.raises(Problem, match="session_ended"):
        pass_it(office, half_in(office), TOTP(secret).now())
    assert office.published(SESSIONS_ENDED)[-1]["because"] == "locked"


def test_codes_that_are_tried_while_a_password_is_verified_stay_counted(
    office: Office, clerk: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_on(office, a_session_of(office, clerk))
    limited, is_right = half_in(office), passwords.is_right

    def overtaken(password: str, password_hash: str | None) -> bool:
        assert is_wrong(office, limited, "000000")
        assert is_wrong(office, limited, "000000")
        return is_right(password, password_hash)

    monkeypatch.setattr(passwords, "is_right", overtaken)
    half_in(office)

    with office.begin() as session:
        counted = session.execute(select(FailureCount.kind, FailureCount.failures)).all()
    assert sorted(map(tuple, counted)) == [("name", 0), ("proof", 2)]


def test_wrong_codes_at_the_enrolment_end_the_session_and_no_other(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    with office.begin() as session:
        secret = second_factor.enrol(work_of(office, session, holder), BY_PASSWORD).secret
    for _ in range(5):
        with pytest.raises(Invalid, match="second_factor_wrong"), office.begin() as session:
            second_factor.confirm(work_of(office, session, holder), a_code("000000"))

    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        second_factor.confirm(work_of(office, session, holder), a_code(TOTP(secret).now()))
    assert sign_in_and_stay(office)


def test_who_has_only_the_password_hinders_no_device_that_has_passed_the_second_factor(
    office: Office, clerk: Account
) -> None:
    secret, _, _ = turn_on(office, a_session_of(office, clerk))
    device_id = uuid4()
    own = Caller.from_dict(sign_in_and_stay(office, device_id=device_id)["session"]["caller"])
    pass_it(office, own, TOTP(secret).now())
    stranger = half_in(office)
    for _ in range(5):
        assert is_wrong(office, stranger, "000000")
    with pytest.raises(Problem, match="session_ended"):
        pass_it(office, stranger, "000000")

    pass_time(office)
    again = Caller.from_dict(sign_in_and_stay(office, device_id=device_id)["session"]["caller"])
    assert pass_it(office, again, TOTP(secret).now())


def test_who_has_proved_the_password_only_changes_nothing_of_how_the_account_is_proved(
    office: Office, clerk: Account
) -> None:
    turn_on(office, a_session_of(office, clerk))
    limited = half_in(office)
    another_password = ChangePasswordRequest(current_password=PASSWORD, new_password="another one 7")
    attempts: list[Callable[[Any], object]] = [
        lambda session: own_account.change_password(work_of(office, session, limited), another_password),
        lambda session: second_factor.enrol(work_of(office, session, limited), BY_PASSWORD),
        lambda session: second_factor.remove(work_of(office, session, limited), BY_PASSWORD),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden, match="second_factor_due"), office.begin() as session:
            attempt(session)


def test_turning_it_on_or_off_asks_for_the_password_and_ends_all_other_sessions(office: Office, clerk: Account) -> None:
    here, elsewhere = a_session_of(office, clerk), a_session_of(office, clerk)
    with pytest.raises(Invalid), office.begin() as session:
        second_factor.enrol(work_of(office, session, here), BY_ANOTHER)
    _, _, on = turn_on(office, here)
    for ended in (here, elsewhere):
        with pytest.raises(Problem, match="session_ended"), office.begin() as session:
            sessions.use(Work(session, VISITOR), SessionRequest(session_id=UUID(ended.session_id)))
    with pytest.raises(Conflict, match="second_factor_on"), office.begin() as session:
        second_factor.enrol(work_of(office, session, on), BY_PASSWORD)

    with pytest.raises(Invalid), office.begin() as session:
        second_factor.remove(work_of(office, session, on), BY_ANOTHER)
    with office.begin() as session:
        second_factor.remove(work_of(office, session, on), BY_PASSWORD)

    assert sign_in_and_stay(office)["account"]["next_step"] is None


def test_a_secret_that_is_not_confirmed_asks_for_nothing(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    with office.begin() as session:
        enrolled = second_factor.enrol(work_of(office, session, holder), BY_PASSWORD)
    with pytest.raises(Invalid, match="second_factor_wrong"), office.begin() as session:
        second_factor.confirm(work_of(office, session, holder), a_code("000000"))

    assert sign_in_and_stay(office)["account"]["next_step"] is None
    assert enrolled.secret in enrolled.otpauth_uri
    assert enrolled.qr_svg.startswith("<svg")
    with office.begin() as session:
        stored = session.connection().exec_driver_sql("select totp_secret from account").scalar_one()
    assert enrolled.secret.encode() not in stored


def test_administrators_without_one_enrol_first_where_it_is_required(
    office: Office, clerk: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office.begin() as session:
        session.get_one(Account, clerk.account_id).roles = ["administrator"]
    assert sign_in_and_stay(office)["account"]["next_step"] is None
    monkeypatch.setenv("REQUIRE_SECOND_FACTOR_OF_ADMINISTRATORS", "yes")
    read_settings.cache_clear()
    try:
        answer = sign_in_and_stay(office)
        assert answer["account"]["next_step"] == "second_factor_enrolment"
        _, _, on = turn_on(office, Caller.from_dict(answer["session"]["caller"]))
        assert on.roles == frozenset({"administrator"})
    finally:
        monkeypatch.undo()
        read_settings.cache_clear()
    assert not SecondFactorSettings().require_second_factor_of_administrators


def test_an_administrator_above_helps_who_has_lost_it(office: Office, clerk: Account) -> None:
    _, _, on = turn_on(office, a_session_of(office, clerk))
    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "administrator"))
        answer = lost_second_factors.remove_second_factor_of(work, AccountRequest(account_id=clerk.account_id))

    assert not answer.has_second_factor
    with pytest.raises(Problem, match="session_ended"), office.begin() as session:
        sessions.use(Work(session, VISITOR), SessionRequest(session_id=UUID(on.session_id)))
    assert sign_in_and_stay(office)["account"]["next_step"] is None
