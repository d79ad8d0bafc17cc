"""Initializes an empty system with the city's union and its first administrator, who creates all others.

`python -m services.membership.accounts.first_administrator --union 上海市总工会 --code … --account … --name …
--phone …`
"""

import argparse
import sys
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.values import InvalidValue, clean_mobile
from services.kit.data.database import engine_for
from services.kit.problems import Conflict, Problem
from services.kit.settings import DatabaseSettings, SettingsError, read_settings
from services.membership.accounts.accounts import new_account, set_phone
from services.membership.event_builders import publish_unions
from services.membership.identity import passwords
from services.membership.models import Union
from services.membership.unions import add_union


@dataclass(frozen=True)
class First:
    """The data of the city's union and its first administrator."""

    union_name: str
    union_code: str
    account_name: str
    display_name: str
    phone: str


def make_first_administrator(session: Session, first: First) -> str:
    """Creates both; returns the password of the first sign-in, which must then be changed.

    Raises Conflict `not_empty` where a union exists already, Invalid for a wrong code.
    """
    if session.scalar(select(Union.union_id).limit(1)) is not None:
        raise Conflict("not_empty", "系统中已有工会", "账号由市总工会管理员在系统中设立。")
    city = add_union(session, first.union_name, first.union_code, "city", None)
    session.flush()
    publish_unions(session, [city])
    password = passwords.one_time_password()
    account = new_account(city, first.account_name, first.display_name, ["administrator"], password)
    set_phone(account, first.phone)
    session.add(account)
    session.flush()
    return password


def _main() -> int:
    parser = argparse.ArgumentParser(description="Make the city's union and its administrator in an empty system.")
    for option, meaning in {
        "union": "the union's name",
        "code": "its 统一社会信用代码",
        "account": "the account to sign in with",
        "name": "the administrator's name",
        "phone": "the administrator's mobile telephone, to which links to choose another password are sent",
    }.items():
        parser.add_argument(f"--{option}", required=True, help=meaning)
    options = parser.parse_args()
    try:
        engine = engine_for(read_settings(DatabaseSettings), "first_administrator")
        with Session(engine) as session, session.begin():
            phone = clean_mobile(options.phone)
            first = First(options.union, options.code, options.account, options.name, phone)
            password = make_first_administrator(session, first)
    except (Problem, SettingsError, InvalidValue) as refusal:
        reason = refusal.to_dict() if isinstance(refusal, Problem) else getattr(refusal, "reason", refusal)
        print(f"nothing was made: {reason}", file=sys.stderr)
        return 1
    print(f"account {options.account}, password for the first sign-in: {password}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
