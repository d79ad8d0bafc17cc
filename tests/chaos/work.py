"""Clerks, reviewers and members on the phone who work through the HTTP API, each on a separate thread."""

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
from tests.chaos.clients import GaveUp, RetryingClient, Tally
from tests.chaos.people import as_rows, make_people, make_phone_members
from tests.chaos.promises import PhoneMember, Promises, UnionPromises
from tests.mothers import a_union_code

_PASSWORD = "calm-between-two-storms"
_SERIAL = 900_000
_CONTACT = {"contact_name": "王芳", "contact_phone": "13900000000"}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 2.0
_REVOKED = 0.35
"""The share of batches whose revocation is requested."""
_AGREED = 0.6


@dataclass
class Office:
    """What all workers share."""

    gateway_url: str
    sms_url: str
    promises: Promises = field(default_factory=Promises)
    tally: Tally = field(default_factory=Tally)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the time for all work is over."""
    troubles: list[str] = field(default_factory=list)
    """Errors that ended a worker."""

    def begin(self, who: str, work: Callable[..., object], *arguments: Any) -> threading.Thread:
        """Starts a worker; records an error that ends it."""
        thread = threading.Thread(target=self._work, args=(who, work, arguments), name=who, daemon=True)
        thread.start()
        return thread

    def _work(self, who: str, work: Callable[..., object], arguments: Sequence[Any]) -> None:
        try:
            work(*arguments)
        except Exception as trouble:
            self.troubles.append(f"{who}: {type(trouble).__name__} {trouble}")

    def client(self) -> RetryingClient:
        return RetryingClient(self.gateway_url, self.tally, self.over)

    def wait(self, is_done: Callable[[], bool], seconds: float = 90) -> bool:
        """Polls with a growing interval until it is done; returns whether it was in time."""
        until, pause = time.monotonic() + seconds, _FIRST_PAUSE
        while not self.over.is_set() and time.monotonic() < until:
            if is_done():
                return True
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
        return False


@dataclass
class Clerk:
    """A clerk with their own union, and the clerk's work."""

    office: Office
    client: RetryingClient
    first_serial: int
    dice: random.Random
    promised: UnionPromises = field(default_factory=UnionPromises)

    def work(self, rounds: Sequence[int], begin: float, every: float) -> None:
        """Registers members and gets cards for them in rounds of these sizes.

        The first round begins at `begin` by the monotonic clock, each further one at least `every` seconds later.
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
            self.promised.names.append(form["name"])
        if forms[alone:]:
            self.import_members(forms[alone:])
        self.apply_for_all()

    def apply_for_all(self) -> None:
        """Queues all members without a card, and submits those who pass the check."""
        self.office.wait(self.are_all_numbered)
        self.queue()
        self.office.wait(self.are_all_listed)
        self._switch_one()
        for channel in ("ordinary", "special"):
            self._check_and_submit(channel)

    def import_members(self, forms: list[dict[str, Any]]) -> None:
        """Imports a sheet and returns when all are registered; raises ValueError for an unexpected result."""
        sheet = fill_in(self.client.download("members/imports/template.xlsx"), as_rows(forms))
        job = self.client.upload("members/imports", "members.xlsx", sheet)
        path = f"members/imports/{job['import_id']}"
        self.office.wait(lambda: self.client.get(path)["state"] != "reading", seconds=600)
        self.client.post(f"{path}/confirm")
        self.office.wait(lambda: self.client.get(path)["state"] != "running", seconds=600)
        job = self.client.get(path)
        if (job["state"], job["rows_accepted"]) != ("finished", len(forms)):
            raise ValueError(f"import {job}")
        self.promised.names += [form["name"] for form in forms]

    def are_all_numbered(self) -> bool:
        """Whether each member without a card can be queued."""
        waiting = self.client.get("members", card_state="none", size=200)["items"]
        return all(member["selectable"] for member in waiting)

    def queue(self) -> None:
        """Queues all members without a card."""
        try:
            self.promised.queued += self.client.post("members/queue", {"filter": {"card_state": "none"}})["queued"]
        except ApiProblem as refused:
            if refused.code != "none_selectable":
                raise

    def are_all_listed(self) -> bool:
        """Whether batching lists as many applications as membership has as pending."""
        pending = self.client.get("members", card_state="pending", size=1)["total"]
        return sum(self._counts(channel)["total"] for channel in ("ordinary", "special")) >= pending

    def _counts(self, channel: str = "ordinary") -> dict[str, int]:
        counts: dict[str, int] = self.client.get("pending", size=1)["counts"][channel]
        return counts

    def _switch_one(self) -> None:
        """Switches one application to the special channel, with a reason."""
        for entry in self.client.get("pending", size=1)["items"]:
            change = {"channel": "special", "channel_reason_code": "other", "channel_note": "曾用名"}
            self.client.patch(f"pending/{entry['application_id']}", change)

    def _check_and_submit(self, channel: str) -> None:
        """Checks until all have passed or failed, removes those that failed, submits the others; retries refusals."""
        for _ in range(4):
            if self._counts(channel)["total"] == 0:
                return
            self.client.post("pending/validate", {"channel": channel})
            self.office.wait(partial(self.are_all_checked, channel))
            if self._counts(channel)["failed"]:
                which = "not_passed" if channel == "ordinary" else "special_not_passed"
                self.promised.removed += self.client.post("pending/remove", {"which": which})["removed"]
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
        """Submits a channel to one outlet; returns the batch's number."""
        outlet = self.client.get("outlets", q="国华广场")["items"][0]
        place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
        consent = self.client.get("consent-text")["version"]
        form = {"channel": channel, **place, **_CONTACT, "consent_version": consent}
        batch = self.client.post("batches", form)
        self.promised.batches[batch["batch_no"]] = batch
        return str(batch["batch_no"])

    def _ask_back(self, batch_no: str) -> None:
        """Requests a revocation once revocation has received the batch, unless the bank has decided on all of it."""
        applicant = {
            "batch_no": batch_no,
            "applicant_name": "王芳",
            "applicant_phone": _CONTACT["contact_phone"],
            "reason_code": "information",
            "reason": "3 人的证件到期日填错",
        }

        def ask() -> bool:
            try:
                self.promised.revocations.append(self.client.post("revocations", applicant)["revocation_id"])
            except ApiProblem as refused:
                if refused.code == "not_found":
                    return False
                if refused.code != "batch_decided":
                    raise
            return True

        self.office.wait(ask)


def hire_clerks(office: Office, count: int, seed: int) -> list[Clerk]:
    """Creates unions under one superior, each with a signed-in clerk."""
    administrator = office.client()
    administrator.sign_in("yangpu-admin", demo_password())
    serials = 10**6
    return [
        Clerk(
            office,
            new_clerk(office, administrator, f"chaos{number}", _SERIAL + number),
            number * serials // max(count, 1),
            random.Random(f"{seed} {number}"),
        )
        for number in range(count)
    ]


def hire_reviewer(office: Office) -> ApiClient:
    """Returns the superior union's reviewer, signed in."""
    return office.client().sign_in("yangpu", demo_password())


def review(office: Office, reviewer: ApiClient, seed: int, is_over: threading.Event) -> None:
    """Decides on requests to the superior union, until the run is over and none is left."""
    dice = random.Random(f"{seed} reviewer")
    while not office.over.is_set():
        asked = reviewer.get("revocations", state="requested", size=200)["items"]
        for one in asked:
            _decide(office, reviewer, one["revocation_id"], dice.random() < _AGREED)
        if not asked and is_over.is_set():
            return
        time.sleep(1)


def new_clerk(office: Office, administrator: ApiClient, name: str, serial: int) -> RetryingClient:
    """Creates a union with a clerk, who sets a password."""
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


def _decide(office: Office, reviewer: ApiClient, revocation_id: str, agrees: bool) -> None:
    decision = "approve" if agrees else "reject"
    try:
        answer = reviewer.post(f"revocations/{revocation_id}/{decision}", {"remark": "已审核"})
    except ApiProblem as refused:
        if refused.code != "already_decided":  # the bank decided first, which closed the request
            raise
    else:
        office.promises.record_decision(revocation_id, answer["state"])


def hire_phone_clerk(office: Office) -> ApiClient:
    """Returns the clerk of a union of members in flexible employment."""
    administrator = office.client().sign_in("yangpu-admin", demo_password())
    return new_clerk(office, administrator, "chaosphone", _SERIAL - 1)


def apply_on_phones(office: Office, clerk: ApiClient, members: list[PhoneMember], count: int, every: float) -> None:
    """Registers members in flexible employment, who sign in on the phone and apply, one after another."""
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
        office.promises.record_phone_application(form["phone"])
        members.append(PhoneMember(form["phone"], client))


def _sign_in_on_phone(office: Office, client: ApiClient, phone: str) -> None:
    """Signs in with a one-time password; requests another if it does not arrive or has expired."""
    while not office.over.is_set():
        try:
            office.promises.record_password_request(phone)
            client.request_code(phone)
        except ApiProblem as refused:
            if refused.code not in ("otp_too_soon", "captcha_used"):
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


def _choose_password(office: Office, clerk: RetryingClient, phone: str) -> None:
    """Sets the password by the link; a retry after a lost answer may find the link already used."""
    try:
        choose_first_password(clerk, phone, _PASSWORD, office.sms_url)
    except ApiProblem as refused:
        if refused.code != "reset_link_invalid":
            raise
