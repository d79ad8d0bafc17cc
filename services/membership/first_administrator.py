"""The way in to an empty system: the city's union and its first administrator, who makes all the others.

`python -m services.membership.first_administrator --union 上海市总工会 --code … --account … --name …`
"""

import argparse
import sys

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.common.persistence import engine_for
from services.common.problems import Conflict, Problem
from services.common.settings import DatabaseSettings, SettingsError, read_settings
from services.membership import passwords
from services.membership.accounts import new_account
from services.membership.models import Union
from services.membership.unions import add_union


def make_first_administrator(
    session: Session, *, union_name: str, union_code: str, account_name: str, display_name: str
) -> str:
    """Makes both and answers the password of the first sign-in, which then has to be changed.

    Raises Conflict `not_empty` where there is a union already, Invalid for a wrong code.
    """
    if session.scalar(select(Union.union_id).limit(1)) is not None:
        raise Conflict("not_empty", "系统中已有工会", "账号由市总工会管理员在系统中设立。")
    city = add_union(session, union_name, union_code, "city", None)
    session.flush()
    password = passwords.one_time_password()
    session.add(new_account(city, account_name, display_name, ["administrator"], password))
    session.flush()
    return password


def _main() -> int:
    parser = argparse.ArgumentParser(description="Make the city's union and its administrator in an empty system.")
    for option, meaning in {
        "union": "the union's name",
        "code": "its 统一社会信用代码",
        "account": "the account to sign in with",
        "name": "the administrator's name",
    }.items():
        parser.add_argument(f"--{option}", required=True, help=meaning)
    asked = parser.parse_args()
    try:
        engine = engine_for(read_settings(DatabaseSettings), "first_administrator")
        with Session(engine) as session, session.begin():
            password = make_first_administrator(
                session,
                union_name=asked.union,
                union_code=asked.code,
                account_name=asked.account,
                display_name=asked.name,
            )
    except (Problem, SettingsError) as refusal:
        said = refusal.to_dict() if isinstance(refusal, Problem) else refusal
        print(f"nothing was made: {said}", file=sys.stderr)
        return 1
    print(f"account {asked.account}, password for the first sign-in: {password}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
