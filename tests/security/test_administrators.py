"""Attacks by an administrator: signing in as another account, or approving the own union's request."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from marshmallow import ValidationError
from sqlalchemy import create_engine, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.membership import ACCOUNT_CHANGED, RESET_LINK_MADE
from services.contracts.operations.membership.accounts import (
    AccountRequest,
    CreateAccountRequest,
    ListPhoneChangesRequest,
    NewAccountAnswer,
    PhoneChangeAnswer,
    PhoneChangeRequest,
    RequestPhoneChangeRequest,
    ResetLinkAnswer,
    ResetPasswordRequest,
    UpdateAccountRequest,
)
from services.kit.data import migrate
from services.kit.operations import audit
from services.kit.problems import Conflict, Forbidden, Invalid, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.membership.accounts import accounts, lost_second_factors, phone_changes, reset_links
from services.membership.accounts.account_links import hash_of
from services.membership.identity import next_step
from services.membership.models import Account, AccountControl, PhoneChange, SignedInSession, Union
from tests.databases import DatabaseFactory
from tests.documents import loaded
from tests.integration.membership.holder import (
    PASSWORD,
    VISITOR,
    a_holder,
    a_link_sent,
    a_session_of,
    an_administrator,
    database_of,
    give_phone,
)
from tests.integration.membership.office import Office

OLD, NEW = "13812345678", "13987654321"
GOOD = "four quiet mornings"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def office(module_database: DatabaseFactory) -> Iterator[Office]:
    """Unions that all tests share; each has accounts of its own."""
    engine = create_engine(module_database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield Office(engine)
    engine.dispose()


@pytest.fixture
def attacker(office: Office) -> Caller:
    """An administrator of the superior union."""
    return someone(office, office.superior)


@pytest.fixture
def colleague(office: Office) -> Caller:
    """Another one, who has nothing to do with the first."""
    return someone(office, office.superior)


@pytest.fixture
def victim(office: Office) -> Account:
    """A reviewer's account, in use for long."""
    return an_account(office, office.superior, "reviewer", phone=OLD)


def someone(office: Office, union: Union, *more_roles: str) -> Caller:
    return an_administrator(office, union, f"head{next(_numbers)}", *more_roles)


def an_account(office: Office, union: Union, *roles: str, phone: str | None = None) -> Account:
    """An account in use for long, with a telephone of its own."""
    number = next(_numbers)
    account = accounts.new_account(union, f"one{number}", "王芳", list(roles), PASSWORD)
    account.must_change_password = False
    accounts.set_phone(account, phone or f"137{number:08}")
    with office.begin() as session:
        session.add(account)
    return account


def account_of(office: Office, caller: Caller) -> Account:
    with office.begin() as session:
        return session.get_one(Account, UUID(caller.account_id))


def made_by(office: Office, maker: Caller, *roles: str, union: Union | None = None) -> Account:
    """A new account that this administrator opens, whose holder has chosen a password."""
    number = next(_numbers)
    given = {"account_name": f"new{number}", "roles": list(roles), "phone": f"139{number:08}"}
    created = open_account(office, maker, union or office.superior, **given)
    choose(office, a_link_sent(office))
    with office.begin() as session:
        return session.get_one(Account, created.account_id)


def choose(office: Office, token: str, password: str = GOOD) -> None:
    with office.begin() as session:
        request = ResetPasswordRequest(token=token, new_password=password)
        reset_links.reset_password(Work(session, VISITOR), request)


def send_link(office: Office, administrator: Caller, account: Account) -> ResetLinkAnswer:
    with office.begin() as session:
        return reset_links.create_reset_link(Work(session, administrator), named(account.account_id))


def open_account(office: Office, administrator: Caller, union: Union, **given: Any) -> NewAccountAnswer:
    request = CreateAccountRequest(union_id=union.union_id, **{"phone": NEW, "display_name": "李雷", **given})
    with office.begin() as session:
        return accounts.create_account(Work(session, administrator), request)


def change(office: Office, administrator: Caller, account: Account, **given: Any) -> None:
    with office.begin() as session:
        request = UpdateAccountRequest(account_id=account.account_id, **given)
        accounts.update_account(Work(session, administrator), request)


def ask(office: Office, administrator: Caller, account: Account, phone: str | None = NEW) -> UUID:
    request = RequestPhoneChangeRequest(account_id=account.account_id, phone=phone, reason="原手机遗失")
    with office.begin() as session:
        return phone_changes.request_phone_change(Work(session, administrator), request).change_id


def confirm(office: Office, administrator: Caller, change_id: UUID) -> PhoneChangeAnswer:
    with office.begin() as session:
        request = PhoneChangeRequest(change_id=change_id)
        return phone_changes.confirm_phone_change(Work(session, administrator), request)


def decline(office: Office, administrator: Caller, change_id: UUID) -> PhoneChangeAnswer:
    with office.begin() as session:
        request = PhoneChangeRequest(change_id=change_id)
        return phone_changes.decline_phone_change(Work(session, administrator), request)


def seen(office: Office, administrator: Caller, change_id: UUID) -> PhoneChangeAnswer:
    """A change as an administrator sees it in the list."""
    with office.begin() as session:
        work = Work(session, administrator, database_of(office))
        page = phone_changes.list_phone_changes(work, ListPhoneChangesRequest(size=100))
    return next(one for one in page.items if one.change_id == change_id)


def named(account_id: Any) -> AccountRequest:
    return AccountRequest(account_id=UUID(str(account_id)))


def phone_of(office: Office, account: Account) -> str | None:
    with office.begin() as session:
        return session.get_one(Account, account.account_id).phone


def news_of(office: Office, account: Account) -> list[tuple[str, list[str], str | None]]:
    """The holder's notifications: what was changed, the telephones, by whom."""
    published = [one for one in office.published(ACCOUNT_CHANGED) if one["account_id"] == account.account_id]
    return [(one["change"], one["holder"]["phones"], one["holder"]["changed_by"]) for one in published]


def caller_of(office: Office, account: Account) -> Caller:
    """Who signs in with the account, as all services come to know them."""
    return a_session_of(office, account)


def a_week_later(office: Office, account: Account) -> None:
    before = datetime.now(UTC) - timedelta(days=7, minutes=1)
    with office.begin() as session:
        session.get_one(Account, account.account_id).controlled_at = before
        of_account = AccountControl.account_id == account.account_id
        session.execute(update(AccountControl).where(of_account).values(at=before))


def test_no_answer_to_an_administrator_holds_the_link(office: Office, attacker: Caller, victim: Account) -> None:
    answer = send_link(office, attacker, victim)
    assert a_link_sent(office) not in str(answer)
    assert answer.sent_to == "138****5678"
    created = open_account(office, attacker, office.union, account_name="fresh", roles=["clerk"])
    assert a_link_sent(office) not in str(created)
    assert "one_time_password" not in as_dict(created)


def test_a_telephone_is_changed_by_no_administrator_alone(office: Office, attacker: Caller, victim: Account) -> None:
    form = {"account_id": str(victim.account_id), "phone": NEW}
    with pytest.raises(ValidationError, match="phone"):
        loaded(UpdateAccountRequest, form)
    change_id = ask(office, attacker, victim)
    assert phone_of(office, victim) == OLD
    with pytest.raises(Forbidden, match="own_request"):
        confirm(office, attacker, change_id)
    with pytest.raises(Conflict, match="phone_change_waits"):
        send_link(office, attacker, victim)
    assert phone_of(office, victim) == OLD


@pytest.mark.parametrize(
    "how", ["made", "given roles", "reset", "rid of the second factor", "through another", "above"]
)
def test_who_confirms_is_nobody_whom_the_first_administrator_controls(
    office: Office, attacker: Caller, colleague: Caller, victim: Account, how: str
) -> None:
    accomplice = _accomplice(office, attacker, how)
    change_id = ask(office, attacker, victim)
    with pytest.raises(Forbidden, match="same_administrator"):
        confirm(office, a_holder_of(accomplice), change_id)
    assert phone_of(office, victim) == OLD

    assert confirm(office, colleague, change_id).state == "confirmed"
    assert phone_of(office, victim) == NEW


def _accomplice(office: Office, attacker: Caller, how: str) -> Account:
    if how == "made":
        return made_by(office, attacker, "administrator")
    if how == "through another":
        middle = made_by(office, attacker, "administrator")
        return made_by(office, a_holder_of(middle), "administrator")
    accomplice = an_account(office, office.superior, "administrator")
    asked: dict[str, Callable[[Session], object]] = {
        "given roles": lambda session: accounts.update_account(
            Work(session, attacker),
            UpdateAccountRequest(account_id=accomplice.account_id, roles=["administrator", "reviewer"]),
        ),
        "reset": lambda session: reset_links.create_reset_link(Work(session, attacker), named(accomplice.account_id)),
        "rid of the second factor": lambda session: lost_second_factors.remove_second_factor_of(
            Work(session, attacker), named(accomplice.account_id)
        ),
        # Both were acted on by one further up, who could act as both.
        "above": lambda session: [
            reset_links.create_reset_link(Work(session, above), named(one))
            for one in (accomplice.account_id, attacker.account_id)
        ],
    }
    above = someone(office, office.city)
    give_phone(office, account_of(office, attacker), "13700000000")
    with office.begin() as session:
        asked[how](session)
    return accomplice


def a_holder_of(account: Account) -> Caller:
    """The account's holder, who administers."""
    return replace(a_holder(account), account_name=account.account_name, scope=Scope.SUBORDINATES)


def test_who_made_an_account_is_never_independent_of_it(office: Office, attacker: Caller, victim: Account) -> None:
    made = made_by(office, attacker, "administrator")
    of_made = made_by(office, a_holder_of(made), "administrator")
    for account in (made, of_made):
        a_week_later(office, account)
    for requester, confirmer in itertools.permutations((attacker, a_holder_of(made), a_holder_of(of_made)), 2):
        change_id = ask(office, requester, victim)
        assert not seen(office, confirmer, change_id).can_confirm
        with pytest.raises(Forbidden, match="same_administrator"):
            confirm(office, confirmer, change_id)
        decline(office, requester, change_id)
    assert phone_of(office, victim) == OLD


def test_two_accounts_that_one_administrator_made_long_ago_are_independent(
    office: Office, attacker: Caller, victim: Account
) -> None:
    first, second = (made_by(office, attacker, "administrator") for _ in range(2))
    for account in (first, second):
        a_week_later(office, account)
    change_id = ask(office, a_holder_of(first), victim)
    assert confirm(office, a_holder_of(second), change_id).state == "confirmed"


def test_accounts_with_one_telephone_are_one_person(office: Office, attacker: Caller, victim: Account) -> None:
    give_phone(office, account_of(office, attacker), mine := "13500000000")
    double = an_account(office, office.superior, "administrator", phone=mine)
    creature = made_by(office, a_holder_of(double), "administrator")
    change_id = ask(office, attacker, victim)
    for confirmer in (double, creature):
        with pytest.raises(Forbidden, match="same_administrator"):
            confirm(office, a_holder_of(confirmer), change_id)
    a_week_later(office, creature)
    with pytest.raises(Forbidden, match="same_administrator"):
        confirm(office, a_holder_of(creature), change_id)

    clerk, reviewer = (an_account(office, office.union, role, phone="13500000001") for role in ("clerk", "reviewer"))
    assert caller_of(office, clerk).controllers == (str(reviewer.account_id),)
    assert caller_of(office, reviewer).controllers == (str(clerk.account_id),)


def test_nobody_confirms_a_number_for_another_account_of_the_own_or_the_own_number(
    office: Office, attacker: Caller, victim: Account
) -> None:
    double = an_account(office, office.superior, "administrator", phone=OLD)
    with pytest.raises(Conflict, match="own_account"):
        confirm(office, a_holder_of(double), change_id := ask(office, attacker, victim))
    receiver = an_account(office, office.superior, "administrator", phone=NEW)
    assert not seen(office, a_holder_of(receiver), change_id).can_confirm
    with pytest.raises(Conflict, match="own_phone"):
        confirm(office, a_holder_of(receiver), change_id)


def test_the_whole_new_number_is_shown_to_who_may_confirm_it_alone_and_that_is_recorded(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    change_id = ask(office, attacker, victim, number := "13311112222")
    assert seen(office, attacker, change_id).new_phone == "133****2222"
    with office.begin() as session:
        work = Work(session, colleague, database_of(office))
        request = ListPhoneChangesRequest(account_id=victim.account_id)
        (answer,) = phone_changes.list_phone_changes(work, request).items
    assert (answer.old_phone, answer.new_phone) == ("138****5678", number)
    act = office.published(ACTS_RECORDED["membership"])[-1]
    assert (act["action"], act["account_id"]) == ("membership.list_phone_changes", UUID(colleague.account_id))
    assert act["records"] == [f"phone_change:{change_id}"]
    assert number not in str(act)
    assert confirm(office, colleague, change_id).new_phone == "133****2222"


def test_who_asks_alone_for_another_number_keeps_nobody_from_links_for_long(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    send_link(office, colleague, victim)
    token = a_link_sent(office)
    decline(office, attacker, ask(office, attacker, victim))
    change_id = ask(office, attacker, victim)
    choose(office, token)
    with office.begin() as session:
        waiting = session.get_one(PhoneChange, change_id)
        waiting.requested_at = datetime.now(UTC) - timedelta(hours=24, minutes=1)
    send_link(office, colleague, victim)
    decline(office, attacker, change_id)
    with pytest.raises(Problem, match="too_many_phone_changes") as refused:
        ask(office, attacker, victim)
    assert refused.value.status == 429
    confirm(office, attacker, ask(office, colleague, victim))
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, a_link_sent(office))


def test_a_link_does_not_work_again_when_a_closed_account_is_opened_again(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    send_link(office, colleague, victim)
    for is_closed in (True, False):
        change(office, attacker, victim, disabled=is_closed)
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, a_link_sent(office))
    assert news_of(office, victim)[-1] == ("reopened", [OLD], f"吴强（{attacker.account_name}）")
    assert attacker.account_id in caller_of(office, victim).controllers


def test_the_holder_is_notified_who_unlocks_the_account_which_gives_control(
    office: Office, attacker: Caller, victim: Account
) -> None:
    with office.begin() as session:
        accounts.unlock_account(Work(session, attacker), named(victim.account_id))
    assert news_of(office, victim)[-1] == ("unlocked", [OLD], f"吴强（{attacker.account_name}）")
    assert attacker.account_id in caller_of(office, victim).controllers


def test_a_process_of_the_former_release_neither_makes_links_that_work_nor_changes_telephones_alone(
    office: Office, attacker: Caller, victim: Account
) -> None:
    """The former release ignores marks of links and dates of number changes, and shows links."""
    link = {"hash": hash_of("told"), "account": victim.account_id, "by": UUID(attacker.account_id)}
    columns = "token_hash, account_id, made_by, expires_at, used_at, void_since"
    with office.engine.begin() as connection:
        values = "(:hash, :account, :by, now() + interval '30 minutes', null, null)"
        connection.execute(text(f"insert into reset_link ({columns}) values {values}"), link)
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, "told")

    with office.begin() as session:
        accounts.set_phone(session.get_one(Account, victim.account_id), NEW)
    with pytest.raises(Conflict, match="phone_changed_recently"):
        send_link(office, attacker, victim)


def test_no_administrator_confirms_the_own_telephone_or_for_another_branch(
    office: Office, attacker: Caller, victim: Account
) -> None:
    change_id = ask(office, attacker, victim)
    with pytest.raises(NotFound):
        confirm(office, someone(office, office.other), change_id)
    with pytest.raises(NotFound):
        confirm(office, someone(office, office.union), change_id)
    head = an_account(office, office.superior, "administrator")
    with pytest.raises(Conflict, match="own_account"):
        confirm(office, a_holder_of(head), ask(office, attacker, head))


def test_what_waits_too_long_was_declined_or_was_asked_by_nobody_any_more_is_not_confirmed(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    declined = ask(office, attacker, victim)
    assert decline(office, attacker, declined).state == "declined"
    with pytest.raises(Conflict, match="phone_change_ended"):
        confirm(office, colleague, declined)
    expired = ask(office, attacker, victim)
    with office.begin() as session:
        session.get_one(PhoneChange, expired).expires_at = datetime.now(UTC)
    with pytest.raises(Conflict, match="phone_change_ended"):
        confirm(office, colleague, expired)
    former = someone(office, office.superior)
    waiting = ask(office, former, victim)
    with office.begin() as session:
        session.get_one(Account, UUID(former.account_id)).roles = ["clerk"]
    with pytest.raises(Conflict, match="requester_gone"):
        confirm(office, colleague, waiting)
    assert phone_of(office, victim) == OLD


def test_a_changed_telephone_gets_no_link_for_a_day_from_anybody(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    send_link(office, attacker, victim)
    older = a_link_sent(office)
    confirm(office, colleague, ask(office, attacker, victim))
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, older)
    for administrator in (attacker, colleague, someone(office, office.city)):
        with pytest.raises(Conflict, match="phone_changed_recently"):
            send_link(office, administrator, victim)
    with office.begin() as session:
        changed = session.get_one(Account, victim.account_id)
        changed.phone_changed_at = datetime.now(UTC) - timedelta(hours=24, minutes=1)
    send_link(office, attacker, victim)
    assert office.published(RESET_LINK_MADE)[-1]["recipient"]["phone"] == NEW


def test_an_administrator_puts_the_own_number_at_nobody_elses_account(
    office: Office, attacker: Caller, victim: Account
) -> None:
    give_phone(office, account_of(office, attacker), "13600000000")
    with pytest.raises(Conflict, match="own_phone"):
        ask(office, attacker, victim, "13600000000")
    with pytest.raises(Conflict, match="own_phone"):
        open_account(office, attacker, office.union, account_name="mine", roles=["clerk"], phone="13600000000")


def test_the_holder_is_notified_of_each_change_and_by_whom(
    office: Office, attacker: Caller, colleague: Caller, victim: Account
) -> None:
    first, second = (f"吴强（{one.account_name}）" for one in (attacker, colleague))
    send_link(office, attacker, victim)
    choose(office, a_link_sent(office))
    confirm(office, colleague, ask(office, attacker, victim))
    change(office, attacker, victim, roles=["clerk"])
    with office.begin() as session:
        lost_second_factors.remove_second_factor_of(Work(session, attacker), named(victim.account_id))
    assert news_of(office, victim) == [
        ("link_sent", [], first),  # the link itself is the SMS
        ("password_set", [OLD], None),
        ("phone_change_requested", [OLD], first),
        ("phone_changed", [OLD, NEW], second),
        ("roles_changed", [NEW], first),
        ("second_factor_off", [NEW], first),
    ]


def test_the_log_names_the_administrator_whose_link_set_a_password(
    office: Office, attacker: Caller, victim: Account
) -> None:
    send_link(office, attacker, victim)
    act = audit.AuditEvent("membership.reset_password", VISITOR)
    with office.begin() as session:
        audit.begin(session, act)
        request = ResetPasswordRequest(token=a_link_sent(office), new_password=GOOD)
        reset_links.reset_password(Work(session, VISITOR), request)
    assert act.caller.account_name == victim.account_name
    assert act.new == {"link_made_by": f"吴强（{attacker.account_name}）"}
    assert f"account:{attacker.account_id}" in act.records


def test_all_services_receive_the_controllers_of_the_caller(office: Office, attacker: Caller) -> None:
    clerk = made_by(office, attacker, "clerk", union=office.union)
    deputy = made_by(office, attacker, "administrator")
    reviewer = made_by(office, a_holder_of(deputy), "reviewer")
    assert caller_of(office, clerk).controllers == (attacker.account_id,)
    assert set(caller_of(office, reviewer).controllers) == {attacker.account_id, str(deputy.account_id)}
    a_week_later(office, reviewer)
    assert caller_of(office, reviewer).controllers == ()


def test_what_an_account_did_before_it_was_controlled_does_not_count(office: Office, colleague: Caller) -> None:
    """A link for an administrator gives its maker no control over accounts that were created before it."""
    clerk = made_by(office, colleague, "clerk", union=office.union)
    above = someone(office, office.city)
    give_phone(office, account_of(office, colleague), "13600000001")
    send_link(office, above, account_of(office, colleague))
    assert caller_of(office, clerk).controllers == (colleague.account_id,)


def test_operators_hold_no_other_role(office: Office) -> None:
    head = someone(office, office.city)
    with pytest.raises(Forbidden, match="operator_alone"):
        open_account(office, head, office.city, account_name="both", roles=["administrator", "operator"])
    operator = an_account(office, office.city, "operator")
    with pytest.raises(Forbidden, match="operator_alone"):
        change(office, head, operator, roles=["clerk", "operator"])
    with pytest.raises(IntegrityError, match="operator_alone"):
        an_account(office, office.city, "administrator", "operator")


@pytest.mark.parametrize(
    ("roles", "step"),
    [
        (["reviewer"], next_step.ENROLMENT),
        (["administrator"], next_step.ENROLMENT),
        (["clerk", "reviewer"], next_step.ENROLMENT),
        (["clerk"], None),
    ],
)
def test_reviewers_and_administrators_enrol_a_second_factor_in_production(
    office: Office, monkeypatch: pytest.MonkeyPatch, roles: list[str], step: str | None
) -> None:
    account = an_account(office, office.superior, *roles)
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert next_step.next_step(account, SignedInSession(passed_second_factor=False)) == step


def test_a_password_that_holds_name_or_telephone_is_refused_by_a_link_too(office: Office, victim: Account) -> None:
    send_link(office, someone(office, office.city), victim)
    for password in (
        f"{OLD}!",
        "my 12345678 phone",
        "王芳王芳王芳王芳",
        "杨浦的早晨很安静",
        f"x{victim.account_name}x-long",
    ):
        with pytest.raises(Invalid):
            choose(office, a_link_sent(office), password)
    choose(office, a_link_sent(office))


def test_an_upgrade_parts_operators_from_other_roles_and_voids_links_that_administrators_know(
    database: DatabaseFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(create_engine(database("membership").replace("postgresql://", "postgresql+psycopg://")))
    victim, both = (an_account(office, office.city, "clerk") for _ in range(2))
    send_link(office, someone(office, office.city), victim)
    config = migrate._configuration("membership")
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    step = next(one for one in revisions if one.path.endswith("_trust_in_administrators.py"))
    with office.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, str(step.down_revision))
        roles = text("update account set roles = '{administrator,operator}' where account_id = :one")
        connection.execute(roles, {"one": both.account_id})
    migrate.upgrade("membership", office.engine.url.render_as_string(hide_password=False))
    assert f"taken from {both.account_name}:" in capsys.readouterr().err
    with office.begin() as session:
        assert session.get_one(Account, both.account_id).roles == ["administrator"]
    with pytest.raises(NotFound, match="reset_link_invalid"):
        choose(office, a_link_sent(office))
    office.engine.dispose()
