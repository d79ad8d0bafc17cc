"""Clerks of new unions with their own members, so that tests do not affect one another.

Each worker's tests also have their own superior union. Numbers here derive from the worker, so that no two workers use
the same name, code, document or telephone in a running system.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from pyotp import TOTP

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.demo_people import Person, fill_in, resident_id
from deploy.local.first_password import choose_first_password
from services.membership.seed import demo_password
from tests.mothers import a_union_code

DESK_PASSWORD = "pages-of-the-desk-2026"
_PATIENCE_SECONDS = 180
_WORKER = 1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.count(_WORKER * 1_000_000)
_serials = itertools.count()
_REGIONS = ("310106", "310107", "310109", "310112", "310113", "310114", "310116", "310117")
"""Districts without people of the demonstration; a worker's people have one of them."""
_FIRST_BIRTH, _DAYS_OF_BIRTH = date(1980, 1, 1), 7000
_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰辉玲丹萍鹏华红玉飞斌梅琳建文"


@dataclass(frozen=True)
class Office:
    """A superior union, with its administrator and its reviewer."""

    administrator: ApiClient
    reviewer: ApiClient

    @property
    def union(self) -> dict[str, Any]:
        union: dict[str, Any] = self.administrator.account["union"]
        return union

    def found_union(self, number: int, kind: str = "grassroots") -> dict[str, Any]:
        """Creates a subordinate union."""
        name = f"上海窗口第{number}号公司工会" if kind == "grassroots" else f"第{number}号街道总工会"
        code = a_union_code(number)
        superior = self.union["union_id"]
        found: dict[str, Any] = self.administrator.post(
            "unions", {"name": name, "code": code, "superior_union_id": superior, "kind": kind}
        )
        return found


@dataclass(frozen=True)
class Desk:
    """A clerk at the API, with the account's name and a number that is unique over desks."""

    number: int
    account_name: str
    clerk: ApiClient
    office: Office

    @property
    def union_id(self) -> str:
        return str(self.clerk.account["union"]["union_id"])

    def sign_in_again(self) -> ApiClient:
        """Returns the clerk signed in anew, after the session has ended."""
        return ApiClient(self.clerk.base).sign_in(self.account_name, DESK_PASSWORD)

    def register(self, *people: Person) -> list[str]:
        """Registers people one by one, and waits until all have a number; returns their ids."""
        member_ids = [str(self.clerk.post("members", form_of(person))["member_id"]) for person in people]
        self.wait_for_numbers()
        return member_ids

    def wait_for_numbers(self) -> None:
        """Waits until all members have a number."""
        wait_until(
            lambda: all(member["member_no"] for member in self.clerk.all_pages("members")),
            "all members have a number",
            _PATIENCE_SECONDS,
        )

    def import_members(self, people: Sequence[Person]) -> None:
        """Registers people as the clerk's sheet would, and waits until all have a number; raises ValueError."""
        sheet = fill_in(self.clerk.download("members/imports/template.xlsx"), list(people))
        ended = self.clerk.import_members("会员名册.xlsx", sheet, _PATIENCE_SECONDS)
        if ended["rows_accepted"] != len(people):
            raise ValueError(f"The import came to be {ended}.")

    def queue_all(self) -> None:
        """Queues all, and waits until they are on the pending list."""
        queued = self.clerk.post("members/queue", {"filter": {}})["queued"]
        wait_until(lambda: self._listed() == queued, "all are on the pending list", _PATIENCE_SECONDS)

    def check_all(self, channel: str = "ordinary") -> None:
        """Requests the check of a channel, and waits for the results."""
        self.clerk.post("pending/validate", {"channel": channel})
        wait_until(lambda: self._undecided(channel) == 0, "every check has a result", _PATIENCE_SECONDS)

    def submit_all(self, channel: str = "ordinary", outlet: str = "国华广场") -> str:
        """Queues, checks and submits all members by this channel to an outlet; returns the batch's number."""
        self.queue_all()
        self.check_all(channel)
        found = self.clerk.get("outlets", q=outlet)["items"][0]
        chosen = {"branch_code": found["branch_code"], "outlet_code": found["code"]}
        contact = {"contact_name": "王芳", "contact_phone": "13812345678"}
        consent = {"consent_version": self.clerk.get("consent-text")["version"]}
        return str(self.clerk.post("batches", {"channel": channel, **chosen, **contact, **consent})["batch_no"])

    def ask_back(self, batch_no: str) -> dict[str, Any]:
        """Requests the revocation of a batch, as soon as revocation has received it."""
        body = {
            "batch_no": batch_no,
            "applicant_name": "王芳",
            "applicant_phone": "13812345678",
            "reason_code": "information",
            "reason": "3 人的证件到期日填错",
        }

        return once_found(lambda: self.clerk.post("revocations", body), "revocation has heard of the batch")

    def _listed(self) -> int:
        counts = self.clerk.get("pending", size=1)["counts"]
        return int(counts["ordinary"]["total"] + counts["special"]["total"])

    def _undecided(self, channel: str) -> int:
        counts = self.clerk.get("pending", size=1)["counts"][channel]
        return int(counts["unchecked"] + counts["checking"] + counts["waiting"])


def a_desk(gateway_url: str) -> Desk:
    """Returns the clerk of a new union under this worker's superior union."""
    return a_desk_below(office_of_this_worker(gateway_url))


def a_desk_below(office: Office) -> Desk:
    """Returns the clerk of a new union under this office's union."""
    number = next(_numbers)
    union = office.found_union(number)
    name = f"desk{number}"
    return Desk(number, name, an_account(office.administrator, union["union_id"], name, "clerk"), office)


@cache
def office_of_this_worker(gateway_url: str) -> Office:
    """Returns the superior union of this worker's desks, under 杨浦区总工会."""
    return an_office_below(ApiClient(gateway_url).sign_in("yangpu-admin", demo_password()))


def an_office_below(administrator: ApiClient) -> Office:
    """Creates a superior union under the administrator's, with its own accounts.

    The city creates the reviewer's account, since nobody may decide on requests of accounts of the same administrator.
    """
    number = next(_numbers)
    above = Office(administrator, administrator)
    union_id = above.found_union(number, "superior")["union_id"]
    city = ApiClient(administrator.base).sign_in("city", demo_password())
    own = an_account(administrator, union_id, f"head{number}", "administrator")
    return Office(own, an_account(city, union_id, f"judge{number}", "reviewer"))


def an_administrator_of(desk: Desk) -> ApiClient:
    """Returns an administrator of the desk's union."""
    return an_account(desk.office.administrator, desk.union_id, f"office{desk.number}", "administrator")


def an_account(administrator: ApiClient, union_id: str, name: str, *roles: str) -> ApiClient:
    """Creates an account of the union; returns its holder's client, signed in with a new password."""
    phone = a_phone()
    given = {"account_name": name, "display_name": "王芳", "roles": list(roles), "phone": phone}
    administrator.post(f"unions/{union_id}/accounts", given)
    client = ApiClient(administrator.base)
    choose_first_password(client, phone, DESK_PASSWORD)
    return client.sign_in(name, DESK_PASSWORD)


def limited(holder: ApiClient, name: str, password: str = DESK_PASSWORD) -> ApiClient:
    """Turns on a second factor and signs in again; returns the client before that step, which may do nothing else."""
    totp = TOTP(holder.post("me/second-factor", {"current_password": password})["secret"])
    holder.post("me/second-factor/confirm", {"code": totp.now()})
    return ApiClient(holder.base).sign_in(name, password)


def a_phone() -> str:
    """Returns a unique mobile telephone number."""
    return f"137{next(_numbers):08d}"


def people(count: int) -> list[Person]:
    """Returns new people who can get a card by the ordinary channel."""
    return [_person(next(_serials)) for _ in range(count)]


def once_found(ask: Callable[[], dict[str, Any]], what: str) -> dict[str, Any]:
    """Returns the answer once it is no longer 404; `what` describes that for the error message."""

    def answer() -> dict[str, Any] | None:
        try:
            return ask()
        except ApiProblem as problem:
            if problem.status != 404:
                raise
            return None

    return wait_until(answer, what)


def expired(person: Person) -> Person:
    """The same with a document that is out of date."""
    return replace(person, document_expiry="2024-01-31", why_not="expired")


def without_category(person: Person) -> Person:
    """A woman whose retirement category nobody has filled in, which no number tells."""
    number = person.document_number
    birth = date.fromisoformat(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    her_number = resident_id(birth, int(number[14:17]) + 1, number[:6])
    return replace(person, document_number=her_number, sex="女", retirement_category="", why_not="category")


def rare(person: Person) -> Person:
    """The same with a name that the ordinary channel cannot write."""
    return replace(person, name="王𬎆")


def a_foreigner() -> Person:
    """A passport takes the special channel."""
    return Person(
        name="SMITH JOHN",
        document_number=f"D{next(_numbers):08d}",
        document_type="护照",
        document_expiry="2031-05-01",
        nationality="GBR",
        birth_date="1988-03-05",
        phone=a_phone(),
        address="上海市杨浦区闸殷路1弄1号",
    )


def form_of(person: Person, **changes: Any) -> dict[str, Any]:
    """What a clerk sends to register somebody."""
    return {
        "name": person.name,
        "document_type": "resident_id" if person.document_type == "居民身份证" else "passport",
        "document_number": person.document_number,
        "document_expiry": person.document_expiry,
        "nationality": person.nationality,
        "phone": person.phone,
        "address": person.address,
        "birth_date": person.birth_date or None,
        "sex": "male" if person.sex == "男" else "female",
        "retirement_category": person.retirement_category,
        **changes,
    }


def _person(serial: int) -> Person:
    day, sequence = serial % _DAYS_OF_BIRTH, serial // _DAYS_OF_BIRTH
    birth = _FIRST_BIRTH + timedelta(days=day)
    family, given = _FAMILY[serial % len(_FAMILY)], _GIVEN[serial // 3 % len(_GIVEN)]
    return Person(
        name=f"{family}{given}{_GIVEN[serial // 7 % len(_GIVEN)]}",
        document_number=resident_id(birth, 2 * sequence + 1, _REGIONS[_WORKER % len(_REGIONS)]),
        birth_date=birth.isoformat(),
        phone=f"136{_WORKER:02d}{serial:06d}",
        address=f"上海市杨浦区闸殷路{serial + 1}号",
    )
