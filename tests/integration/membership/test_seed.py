"""Demo data: accounts that can sign in, members, and a repeated seed that changes nothing."""

from collections import Counter
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBER_REGISTERED
from services.kit.data.database import Database, outbox
from services.kit.rpc.work import Work
from services.membership.identity import sign_in
from services.membership.models import Account, Member, Union
from services.membership.seed import ACCOUNTS, FLEXIBLE_PHONES, demo_password, seed
from tests.integration.membership.holder import VISITOR, a_sign_in


def seeded(engine: Engine) -> dict[str, int]:
    """Seeds; answers how many there are of each thing."""
    with Session(engine) as session, session.begin():
        seed(session)
    with Session(engine) as session:
        counted: dict[str, Any] = {"unions": Union, "accounts": Account, "members": Member, "events": outbox}
        return {name: session.scalar(select(func.count()).select_from(rows)) or 0 for name, rows in counted.items()}


def test_seeding_again_changes_nothing(engine: Engine) -> None:
    assert seeded(engine) == seeded(engine)


def test_every_demo_account_signs_in_with_the_demo_password(engine: Engine) -> None:
    seeded(engine)
    database = Database()
    database.engine = engine
    for account in ACCOUNTS:
        with Session(engine) as session, session.begin():
            request = a_sign_in(account.account_name, demo_password())
            answer = sign_in.sign_in(Work(session, VISITOR, database), request).account
        assert (answer.roles, answer.must_change_password) == ([*account.roles], False)


def test_each_grassroots_union_has_some_dozens_of_members_who_are_told_of(engine: Engine) -> None:
    seeded(engine)
    with Session(engine) as session:
        members = session.execute(
            select(Union.name, func.count()).join(Member, Member.union_id == Union.union_id).group_by(Union.name)
        ).all()
        published = session.scalar(
            select(func.count()).select_from(outbox).where(outbox.c.routing_key == MEMBER_REGISTERED.routing_key)
        )
        kinds = Counter(session.scalars(select(Member.document_type)))
        flexible = session.scalar(select(func.count()).where(Member.affiliation == "flexible"))
    assert all(count >= 36 for _, count in members)
    assert (len(members), flexible, kinds["passport"]) == (4, len(FLEXIBLE_PHONES), 4)
    assert published is not None
    assert published >= 4
