"""Clerks of new unions, each with members of its own, so that no test sees what another one does."""

import itertools
import os
import time
from dataclasses import dataclass

from deploy.local.client import ApiClient, wait_until
from deploy.local.demo_people import Person, fill_in
from services.membership.seed import demo_password
from tests.mothers import a_union_code

DESK_PASSWORD = "pages-of-the-desk-2026"
_PATIENCE_SECONDS = 180
_numbers = itertools.count(int(time.time()) % 100_000 * 1000 + os.getpid() % 1000)


@dataclass(frozen=True)
class Desk:
    """A clerk at the API; `account_name` is to sign in with, and `number` is no other desk's."""

    number: int
    account_name: str
    clerk: ApiClient

    def import_members(self, people: list[Person]) -> None:
        """Registers people as the clerk's sheet would, and waits until all have a number."""
        sheet = fill_in(self.clerk.download("members/imports/template.xlsx"), people)
        job = self.clerk.upload("members/imports", "会员名册.xlsx", sheet)
        wait_until(
            lambda: self.clerk.get(f"members/imports/{job['import_id']}")["state"] == "finished",
            "the sheet is read",
            _PATIENCE_SECONDS,
        )
        wait_until(
            lambda: all(member["member_no"] for member in self.clerk.all_pages("members")),
            "all members have a number",
            _PATIENCE_SECONDS,
        )

    def queue_all(self) -> None:
        """Puts all on the pending list, and waits until they stand there."""
        queued = self.clerk.post("members/queue", {"filter": {}})["queued"]
        wait_until(lambda: self._listed() == queued, "all are on the pending list", _PATIENCE_SECONDS)

    def check_all(self) -> None:
        """Has the ordinary channel checked, and waits for the results."""
        self.clerk.post("pending/validate")
        wait_until(lambda: self._undecided() == 0, "every check has a result")

    def submit_all(self) -> str:
        """Has all members checked and submitted by the ordinary channel; the number of the batch."""
        self.queue_all()
        self.check_all()
        outlet = self.clerk.get("outlets", q="国华广场")["items"][0]
        chosen = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
        contact = {"contact_name": "王芳", "contact_phone": "13812345678"}
        consent = {"consent_version": self.clerk.get("consent-text")["version"]}
        return str(self.clerk.post("batches", {"channel": "ordinary", **chosen, **contact, **consent})["batch_no"])

    def _listed(self) -> int:
        counts = self.clerk.get("pending", size=1)["counts"]
        return int(counts["ordinary"]["total"] + counts["special"]["total"])

    def _undecided(self) -> int:
        counts = self.clerk.get("pending", size=1)["counts"]["ordinary"]
        return int(counts["unchecked"] + counts["checking"] + counts["waiting"])


def a_desk(gateway_url: str) -> Desk:
    """The clerk of a new union under 杨浦区总工会."""
    number = next(_numbers)
    administrator = ApiClient(gateway_url).sign_in("yangpu-admin", demo_password())
    union = administrator.post(
        "unions",
        {
            "name": f"上海窗口第{number}号公司工会",
            "code": a_union_code(number),
            "superior_union_id": administrator.account["union"]["union_id"],
        },
    )
    name = f"desk{number}"
    return Desk(number, name, _signed_in(gateway_url, administrator, union["union_id"], name, "clerk"))


def an_administrator_of(desk: Desk) -> ApiClient:
    """An administrator of the desk's union."""
    gateway_url = desk.clerk.base
    superior = ApiClient(gateway_url).sign_in("yangpu-admin", demo_password())
    union_id = desk.clerk.account["union"]["union_id"]
    return _signed_in(gateway_url, superior, union_id, f"office{desk.number}", "administrator")


def _signed_in(gateway_url: str, superior: ApiClient, union_id: str, name: str, role: str) -> ApiClient:
    """A new account of the union, with a password of its own."""
    given = {"account_name": name, "display_name": "王芳", "roles": [role]}
    account = superior.post(f"unions/{union_id}/accounts", given)
    client = ApiClient(gateway_url).sign_in(name, account["one_time_password"])
    client.post("me/password", {"current_password": account["one_time_password"], "new_password": DESK_PASSWORD})
    return client.sign_in(name, DESK_PASSWORD)
