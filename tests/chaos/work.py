"""Clerks, reviewers and members on the phone at work through the HTTP API, each on a thread of its own."""

import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import requests

from deploy.local.client import ApiClient, ApiProblem
from deploy.local.demo_people import fill_in
from deploy.local.first_password import choose_first_password
from services.membership.seed import demo_password
from tests.chaos.account import Account, PhoneMember, UnionAccount
from tests.chaos.clients import GaveUp, PatientClient, Tally
from tests.chaos.people import as_rows, make_people, make_phone_members
from tests.mothers import a_union_code

_PASSWORD = "calm-between-two-storms"
_SERIAL = 900_000
_CONTACT = {"contact_name": "王芳", "contact_phone": "13900000000"}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 2.0
_REVOKED = 0.35
"""Of all batches so many are asked back."""
_AGREED = 0.6


@dataclass
class Office:
    """What all who work share."""

    gateway_url: str
    sms_url: str
    account: Account = field(default_factory=Account)
    tally: Tally = field(default_factory=Tally)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits any longer."""
    troubles: list[str] = field(default_factory=list)
    """What a worker could not go on from."""

    def begin(self, who: str, work: Callable[..., object], *arguments: Any) -> threading.Thread:
        """Somebody at work; what they cannot go on from is kept."""
        thread = threading.Thread(target=self._work, args=(who, work, arguments), name=who, daemon=True)
        thread.start()
        return thread

    def _work(self, who: str, work: Callable[..., object], arguments: Sequence[Any]) -> None:
        try:
            work(*arguments)
        except Exception as trouble:
            self.troubles.append(f"{who}: {type(trouble).__name__} {trouble}")

    def client(self) -> PatientClient:
        return PatientClient(self.gateway_url, self.tally, self.over)

    def wait(self, is_done: Callable[[], bool], seconds: float = 90) -> bool:
        """Asks until it is so, less and less often; False where it is not in time."""
        until, pause = time.monotonic() + seconds, _FIRST_PAUSE
        while not self.over.is_set() and time.monotonic() < until:
            if is_done():
                return True
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
        return False


@dataclass
class Clerk:
    """A clerk with a union of their own and how they go about it."""

    office: Office
    client: PatientClient
    first_serial: int
    dice: random.Random
    told: UnionAccount = field(default_factory=UnionAccount)

    def work(self, rounds: Sequence[int], begin: float, every: float) -> None:
        """A round registers so many members and gets cards for them.

        The first one begins at this time of the monotonic clock, a further one so many seconds later at the soonest.
        """
        serial = self.first_serial
        for number, members in enumerate(rounds):
            while time.monotonic() < begin + number * every and not self.office.over.is_set():
                time.sleep(0.1)
            self._round(make_people(serial, members))
            serial += members

    def _round(self, forms: list[dict[str, Any]]) -> None:
        alone = max(1, len(forms) // 5)
        for form in forms[:alone]:
            self.client.post("members", form)
            self.told.names.append(form["name"])
        if forms[alone:]:
            self.import_members(forms[alone:])
        self.office.wait(self.are_all_numbered)
        self._queue()
        self.office.wait(self.are_all_listed)
        self._switch_one()
        for channel in ("ordinary", "special"):
            self._check_and_submit(channel)

    def import_members(self, forms: list[dict[str, Any]]) -> None:
        """Returns when all of the sheet are registered; raises ValueError where it was not as it should."""
        sheet = fill_in(self.client.download("members/imports/template.xlsx"), as_rows(forms))
        job = self.client.upload("members/imports", "members.xlsx", sheet)
        path = f"members/imports/{job['import_id']}"
        self.office.wait(lambda: self.client.get(path)["state"] != "reading", seconds=600)
        self.client.post(f"{path}/confirm")
        self.office.wait(lambda: self.client.get(path)["state"] != "running", seconds=600)
        job = self.client.get(path)
        if (job["state"], job["rows_accepted"]) != ("finished", len(forms)):
            raise ValueError(f"import {job}")
        self.told.names += [form["name"] for form in forms]

    def are_all_numbered(self) -> bool:
        """Whether each member who has no card can be chosen for one."""
        waiting = self.client.get("members", card_state="none", size=200)["items"]
        return all(member["selectable"] for member in waiting)

    def _queue(self) -> None:
        try:
            self.told.queued += self.client.post("members/queue", {"filter": {"card_state": "none"}})["queued"]
        except ApiProblem as refused:
            if refused.code != "none_selectable":
                raise

    def are_all_listed(self) -> bool:
        """Whether batching lists as many as membership has as pending."""
        pending = self.client.get("members", card_state="pending", size=1)["total"]
        return sum(self._counts(channel)["total"] for channel in ("ordinary", "special")) >= pending

    def _counts(self, channel: str = "ordinary") -> dict[str, int]:
        counts: dict[str, int] = self.client.get("pending", size=1)["counts"][channel]
        return counts

    def _switch_one(self) -> None:
        """Somebody takes the special channel, for a reason."""
        for entry in self.client.get("pending", size=1)["items"]:
            change = {"channel": "special", "channel_reason_code": "other", "channel_note": "曾用名"}
            self.client.patch(f"pending/{entry['application_id']}", change)

    def _check_and_submit(self, channel: str) -> None:
        """Checks until all have passed or failed, removes who failed, submits the others; again where it is refused."""
        for _ in range(4):
            if self._counts(channel)["total"] == 0:
                return
            self.client.post("pending/validate", {"channel": channel})
            self.office.wait(partial(self.are_all_checked, channel))
            if self._counts(channel)["failed"]:
                which = "not_passed" if channel == "ordinary" else "special_not_passed"
                self.told.removed += self.client.post("pending/remove", {"which": which})["removed"]
            try:
                batch_no = self.submit(channel)
            except ApiProblem as refused:
                if refused.code not in ("not_all_passed", "pending_empty"):
                    raise
            else:
                if self.dice.random() < _REVOKED:
                    self._ask_back(batch_no)
                return

    def are_all_checked(self, channel: str = "ordinary") -> bool:
        """Whether all of a channel of the pending list have passed or failed."""
        counts = self._counts(channel)
        return counts["unchecked"] + counts["checking"] + counts["waiting"] == 0

    def submit(self, channel: str = "ordinary") -> str:
        """Submits all of a channel to one outlet; answers the number of the batch."""
        outlet = self.client.get("outlets", q="国华广场")["items"][0]
        place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
        consent = self.client.get("consent-text")["version"]
        form = {"channel": channel, **place, **_CONTACT, "consent_version": consent}
        batch = self.client.post("batches", form)
        self.told.batches[batch["batch_no"]] = batch
        return str(batch["batch_no"])

    def _ask_back(self, batch_no: str) -> None:
        """Revocation may not have heard of the batch yet, or the bank may have decided on all of it."""
        applicant = {"batch_no": batch_no, "applicant_name": "王芳", "applicant_phone": _CONTACT["contact_phone"]}

        def ask() -> bool:
            try:
                self.told.revocations.append(self.client.post("revocations", applicant)["revocation_id"])
            except ApiProblem as refused:
                if refused.code == "not_found":
                    return False
                if refused.code != "batch_decided":
                    raise
            return True

        self.office.wait(ask)


def hire_clerks(office: Office, count: int, seed: int) -> list[Clerk]:
    """Unions below one superior, each with a clerk who has signed in."""
    administrator = office.client()
    administrator.sign_in("yangpu-admin", demo_password())
    serials = 10**6
    return [
        Clerk(
            office,
            _new_clerk(office, administrator, f"chaos{number}", _SERIAL + number),
            number * serials // max(count, 1),
            random.Random(f"{seed} {number}"),
        )
        for number in range(count)
    ]


def hire_reviewer(office: Office) -> ApiClient:
    """Who decides in the superior union."""
    return office.client().sign_in("yangpu", demo_password())


def review(office: Office, reviewer: ApiClient, seed: int, is_over: threading.Event) -> None:
    """Decides on what is asked of the superior union, until it is over and nothing is left."""
    dice = random.Random(f"{seed} reviewer")
    while not office.over.is_set():
        asked = reviewer.get("revocations", state="requested", size=200)["items"]
        for one in asked:
            _decide(office, reviewer, one["revocation_id"], dice.random() < _AGREED)
        if not asked and is_over.is_set():
            return
        time.sleep(1)


def _decide(office: Office, reviewer: ApiClient, revocation_id: str, agrees: bool) -> None:
    decision = "approve" if agrees else "reject"
    try:
        answer = reviewer.post(f"revocations/{revocation_id}/{decision}", {"remark": "已审核"})
    except ApiProblem as refused:
        if refused.code != "already_decided":  # the bank was faster: the request has been closed
            raise
    else:
        office.account.note_decision(revocation_id, answer["state"])


def hire_phone_clerk(office: Office) -> ApiClient:
    """The clerk of a union of members in flexible employment."""
    administrator = office.client().sign_in("yangpu-admin", demo_password())
    return _new_clerk(office, administrator, "chaosphone", _SERIAL - 1)


def apply_on_phones(office: Office, clerk: ApiClient, members: list[PhoneMember], count: int, every: float) -> None:
    """Registers members in flexible employment, each of whom signs in on the phone and applies, one after another."""
    begin = time.monotonic()
    for number, form in enumerate(make_phone_members(count)):
        while time.monotonic() < begin + number * every and not office.over.is_set():
            time.sleep(0.1)
        clerk.post("members", form)
        client = office.client()
        _sign_in_on_phone(office, client, form["phone"])
        office.wait(lambda client=client: client.get("personal/profile")["can_apply"])  # type: ignore[misc]
        outlet = client.get("outlets", q="古北")["items"][0]["code"]
        consent = client.get("consent-text")["version"]
        client.post("personal/applications", {"outlet_code": outlet, "consent_version": consent})
        office.account.note_phone_application(form["phone"])
        members.append(PhoneMember(form["phone"], client))


def _sign_in_on_phone(office: Office, client: ApiClient, phone: str) -> None:
    """Asks for a one-time password, and for another one where it does not come or no longer works."""
    while not office.over.is_set():
        try:
            office.account.note_password_asked(phone)
            client.ask_for_code(phone)
        except ApiProblem as refused:
            if refused.code != "otp_too_soon":
                raise
        if office.wait(lambda: bool(_passwords(office, phone)), seconds=30):
            try:
                client.post("personal/sessions", {"phone": phone, "code": _passwords(office, phone)[-1]})
            except ApiProblem as refused:
                if refused.code != "otp_wrong":
                    raise
                time.sleep(2)
            else:
                return
    raise GaveUp(f"sign-in of {phone}")


def _passwords(office: Office, phone: str) -> list[str]:
    answer = requests.get(f"{office.sms_url}/messages", params={"phone": phone}, timeout=10).json()
    return [found[1] for message in answer["items"] if (found := re.search(r"验证码(\d{6})", message["text"]))]


def _new_clerk(office: Office, administrator: ApiClient, name: str, serial: int) -> PatientClient:
    """A union with a clerk, who chooses a password."""
    union = administrator.post(
        "unions",
        {
            "name": f"上海第 {serial} 号公司工会",
            "code": a_union_code(serial),
            "superior_union_id": administrator.account["union"]["union_id"],
        },
    )
    phone = f"137{serial % 10**8:08d}"
    administrator.post(
        f"unions/{union['union_id']}/accounts",
        {"account_name": name, "display_name": "王芳", "roles": ["clerk"], "phone": phone},
        str(uuid4()),
    )
    clerk = office.client()
    _choose_password(office, clerk, phone)
    clerk.sign_in(name, _PASSWORD)
    return clerk


def _choose_password(office: Office, clerk: PatientClient, phone: str) -> None:
    """Who hears nothing and chooses again may find that the first time has counted: the link is used up."""
    try:
        choose_first_password(clerk, phone, _PASSWORD, office.sms_url)
    except ApiProblem as refused:
        if refused.code != "reset_link_invalid":
            raise
