"""Demo unions, accounts and members: `python -m services.membership.seed` creates missing ones; `--accounts` lists the
accounts.
"""

import argparse
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from stdnum.cn import ric, uscc

from services.contracts.operations.membership.members import RegisterMemberRequest
from services.contracts.values import LONG_TERM
from services.kit.data.database import engine_for
from services.kit.settings import DatabaseSettings, read_settings, refuse_production, run_program
from services.membership.event_builders import publish_unions
from services.membership.identity.passwords import hash_password
from services.membership.members.member_documents import phone_digest
from services.membership.members.members import register_members
from services.membership.models import Account, Union


@dataclass(frozen=True)
class DemoUnion:
    """A union of the demo, identified by a key."""

    key: str
    kind: str
    name: str
    superior: str | None


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demo; all have the same password."""

    account_name: str
    display_name: str
    roles: tuple[str, ...]
    union: str


UNIONS = (
    DemoUnion("shanghai", "city", "上海市总工会", None),
    DemoUnion("yangpu", "superior", "杨浦区总工会", "shanghai"),
    DemoUnion("changning", "superior", "长宁区总工会", "shanghai"),
    DemoUnion("jianlang", "grassroots", "上海建朗信息科技有限公司工会", "yangpu"),
    DemoUnion("guohua", "grassroots", "上海国华物业管理有限公司工会", "yangpu"),
    DemoUnion("gubei", "grassroots", "上海古北商贸有限公司工会", "changning"),
    DemoUnion("wujiaochang", "superior", "五角场街道总工会", "yangpu"),
    DemoUnion("guoding", "grassroots", "上海国定软件有限公司工会", "wujiaochang"),
)
ACCOUNTS = (
    DemoAccount("city", "陈静", ("administrator",), "shanghai"),
    DemoAccount("ops", "林涛", ("operator",), "shanghai"),
    DemoAccount("yangpu", "周敏", ("reviewer",), "yangpu"),
    DemoAccount("yangpu-admin", "吴强", ("administrator",), "yangpu"),
    DemoAccount("changning", "郑丽", ("reviewer",), "changning"),
    DemoAccount("jianlang", "王芳", ("clerk",), "jianlang"),
    DemoAccount("guohua", "李伟", ("clerk",), "guohua"),
    DemoAccount("gubei", "张敏", ("clerk",), "gubei"),
    DemoAccount("wujiaochang", "孙悦", ("administrator", "reviewer"), "wujiaochang"),
    DemoAccount("guoding", "赵亮", ("clerk",), "guoding"),
)
FLEXIBLE_PHONES = ("13900000001", "13900000002", "13900000003")
"""The telephone numbers of members who may apply on the phone."""

_MEMBERS = 40
_FAMILY = "王李张刘陈杨赵黄周吴徐孙朱高林何郭马罗梁"
_GIVEN = "伟芳娜敏静丽强磊洋艳勇杰娟涛明超霞平刚桂"
_ROADS = ("闸殷路", "黄兴路", "国定路", "控江路", "古北路")


def demo_password() -> str:
    """The password of all demo accounts."""
    return os.environ.get("DEMO_PASSWORD", "Demo-2026-card")


def seed(session: Session) -> None:
    """Creates the missing demo unions, accounts and members; changes no existing ones."""
    rows = [_union_row(position, union) for position, union in enumerate(UNIONS)]
    if added := session.scalars(insert(Union).on_conflict_do_nothing().returning(Union), rows).all():
        publish_unions(session, added)
    for position, account in enumerate(ACCOUNTS):
        session.execute(insert(Account).values(_account_row(position, account)).on_conflict_do_nothing())
    for union in UNIONS:
        if union.kind == "grassroots":
            register_members(session, _id(union.key), list(_members(union.key)))
    register_members(session, _id("guohua"), list(_flexible_members()))


def demo_account_ids() -> list[UUID]:
    """The ids of all demo accounts, which are the same in every seeded database."""
    return [_account_id(account) for account in ACCOUNTS]


def print_accounts() -> None:
    """Prints the accounts and telephones that may sign in, with their passwords."""
    names = {union.key: union.name for union in UNIONS}
    print(f"password of all: {demo_password()}\n")
    for account in ACCOUNTS:
        print(
            f"  {account.account_name:14} {','.join(account.roles):23} {account.display_name}  {names[account.union]}"
        )
    print(f"\nmembers who apply on the phone: {', '.join(FLEXIBLE_PHONES)}")


def _id(key: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"demo:{key}")


def _account_id(account: DemoAccount) -> UUID:
    return _id(f"account {account.account_name}")


def _union_row(position: int, union: DemoUnion) -> dict[str, Any]:
    """The union as a row of an insert statement."""
    prefix = f"{'81' if union.kind == 'grassroots' else '13'}310000{position + 1:09d}"
    return {
        "union_id": _id(union.key),
        "code": prefix + uscc.calc_check_digit(prefix),
        "name": union.name,
        "kind": union.kind,
        "superior_union_id": _id(union.superior) if union.superior else None,
        "superior_ids": _superior_ids(union),
    }


def _superior_ids(union: DemoUnion) -> list[UUID]:
    if union.superior is None:
        return []
    superior = next(other for other in UNIONS if other.key == union.superior)
    return [*_superior_ids(superior), _id(superior.key)]


def _account_row(position: int, account: DemoAccount) -> dict[str, Any]:
    """The account as a row of an insert statement."""
    phone = f"1350000{position + 1:04d}"
    return {
        "account_id": _account_id(account),
        "union_id": _id(account.union),
        "account_name": account.account_name,
        "display_name": account.display_name,
        "roles": list(account.roles),
        "phone": phone,
        "phone_digest": phone_digest(phone),
        "password_hash": hash_password(demo_password()),
        "must_change_password": False,
    }


def _members(key: str) -> Iterator[RegisterMemberRequest]:
    """A union's demo members: mostly employed; also two rare names, a foreigner, one retired, one expired document."""
    dice = random.Random(key)  # noqa: S311 - demo people, no secret
    for _ in range(_MEMBERS):
        yield _resident(dice, date(dice.randrange(1980, 2002), dice.randrange(1, 13), dice.randrange(1, 29)))
    yield replace(_resident(dice, date(1985, 5, 6)), name="王𬎆")
    yield replace(_resident(dice, date(1991, 7, 8)), name="陈䶮")
    yield replace(_resident(dice, date(1956, 3, 2)), document_expiry=LONG_TERM)
    yield replace(_resident(dice, date(1988, 9, 1)), document_expiry=date(2024, 1, 31))
    yield RegisterMemberRequest(
        name="SMITH JOHN",
        document_type="passport",
        document_number=f"X{dice.randrange(10**8):08d}",
        document_expiry=date(2031, 5, 1),
        nationality="GBR",
        sex="male",
        birth_date=date(1988, 3, 5),
        retirement_category="M60",
    )


def _flexible_members() -> Iterator[RegisterMemberRequest]:
    dice = random.Random("flexible")  # noqa: S311 - demo people, no secret
    for phone in FLEXIBLE_PHONES:
        yield replace(_resident(dice, date(1990, 4, 5)), phone=phone, affiliation="flexible")


def _resident(dice: random.Random, birth: date) -> RegisterMemberRequest:
    is_man = dice.random() < 0.5
    body = f"310110{birth:%Y%m%d}{2 * dice.randrange(500) + is_man:03d}"
    return RegisterMemberRequest(
        name=dice.choice(_FAMILY) + "".join(dice.sample(_GIVEN, 2)),
        document_type="resident_id",
        document_number=body + ric.calc_check_digit(f"{body}0"),
        document_expiry=date(2038, 6, 13),
        nationality="CHN",
        phone=f"136{dice.randrange(10**8):08d}",
        address=f"上海市杨浦区{dice.choice(_ROADS)}{dice.randrange(1, 2000)}弄{dice.randrange(1, 99)}号",
        retirement_category="M60" if is_man else "F55",
    )


def main() -> None:
    """Seeds the database, or lists the accounts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", action="store_true", help="only list who may sign in")
    if parser.parse_args().accounts:
        print_accounts()
        return
    refuse_production("demo accounts and members")
    with Session(engine_for(read_settings(DatabaseSettings), "membership-seed")) as session, session.begin():
        seed(session)


if __name__ == "__main__":
    run_program(main)
