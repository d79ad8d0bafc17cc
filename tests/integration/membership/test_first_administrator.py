"""The first administrator of an empty system, and of an empty one only."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.kit.data.database import Database
from services.kit.problems import Conflict, Invalid
from services.kit.rpc.work import Work
from services.membership.accounts.first_administrator import First, make_first_administrator
from services.membership.identity import sign_in
from tests.integration.membership.holder import VISITOR, a_sign_in
from tests.mothers import a_union_code

CITY = {
    "union_name": "上海市总工会",
    "union_code": a_union_code(900_001),
    "account_name": "first",
    "display_name": "陈静",
    "phone": "13912345678",
}


def test_the_first_administrator_signs_in_and_must_choose_a_password(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        password = make_first_administrator(session, First(**CITY))
    database = Database()
    database.engine = engine
    with Session(engine) as session, session.begin():
        answer = sign_in.sign_in(Work(session, VISITOR, database), a_sign_in("first", password)).account
    assert (answer.roles, answer.union.kind, answer.next_step) == (
        ["administrator"],
        "city",
        "password_change",
    )


def test_a_system_with_a_union_gets_no_second_way_in(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        make_first_administrator(session, First(**CITY))
    with Session(engine) as session, pytest.raises(Conflict) as refusal:
        make_first_administrator(session, First(**{**CITY, "account_name": "second"}))
    assert refusal.value.code == "not_empty"


def test_a_wrong_code_makes_nothing(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(Invalid):
        make_first_administrator(session, First(**{**CITY, "union_code": "810000000000000000"}))
