"""Plays the manual's story on the running system through its public interfaces; fails if anything differs.

`make demo`: a superior union's administrator sets up a grassroots union, its clerk gets cards for 200 members, the bank
answers, the superior union's reviewer decides on revocations. Each line says what happened and after how many seconds.
"""

import base64
import io
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any
from uuid import uuid4

import requests
from openpyxl import load_workbook

from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.demo_people import People, fill_in, make_people
from deploy.local.environment import ROOT
from deploy.local.first_password import choose_first_password
from deploy.local.stack import Stack, StackError, find
from services.contracts.external.bank import REJECTED_QUEUE
from services.kit.dead_letters.letters import BrokerAway, DeadLetters
from services.membership.seed import demo_password

CLERK_PASSWORD = "plum-blossom-and-pine"  # noqa: S105 - of a clerk who exists in this story only
REJECTING_REMARK = "卡片已在制作，不同意撤销"


Chapter = Callable[["Story"], None]


class UnexpectedResult(Exception):
    """A result differs from what the story expects."""


@dataclass
class Story:
    """The state that the chapters share."""

    stack: Stack
    people: People
    seed: int
    administrator: ApiClient
    reviewer: ApiClient
    clerk: ApiClient
    started: float = field(default_factory=time.monotonic)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def report(self, line: str) -> None:
        """Prints what happened, with the seconds since the start."""
        print(f"{time.monotonic() - self.started:7.2f} s  {line}", flush=True)

    def expect(self, what: str, found: object, expected: object) -> None:
        """Raises UnexpectedResult unless the two are equal."""
        if found != expected:
            raise UnexpectedResult(f"{what}: expected {expected!r}, found {found!r}")

    def expect_refusal(self, code: str, command: Callable[[], object]) -> None:
        """Raises UnexpectedResult unless the command is refused with this problem code."""
        try:
            command()
        except ApiProblem as refused:
            self.expect("the refusal's code", refused.code, code)
        else:
            raise UnexpectedResult(f"expected the refusal {code}, but the command was carried out")


def main() -> int:
    """Plays the story; returns exit status 0 only if all is as expected."""
    try:
        running = find(ROOT / ".local")
    except StackError as missing:
        print(missing, file=sys.stderr)
        return 1
    if "bank" not in running.simulator_urls:
        print("The story needs the simulated bank: make run", file=sys.stderr)
        return 1
    return run_story(running)


def run_story(stack: Stack, seed: int | None = None, *, until: Chapter | None = None) -> int:
    """Plays the story on a running stack, with other people for each seed; returns the exit status.

    `until` is the first chapter that is left out, with all that follow.
    """
    use_secret_of(stack.folder)
    chosen = int(time.time()) if seed is None else seed
    administrator, reviewer, clerk = (ApiClient(stack.gateway_url) for _ in range(3))
    story = Story(stack, make_people(chosen), chosen, administrator, reviewer, clerk)
    bank_before = requests.get(f"{stack.simulator_urls['bank']}/control", timeout=5).json()["mode"]
    _set_bank_mode(story, "manual")
    try:
        for chapter in takewhile(lambda one: one is not until, CHAPTERS):
            chapter(story)
    except (UnexpectedResult, ApiProblem, TimeoutError) as error:
        print(f"\nThe story differs from what is expected in '{chapter.__name__}': {error}", file=sys.stderr)
        return 1
    finally:
        _set_bank_mode(story, bank_before)
    story.report("All is as expected.")
    return 0


def union_code(serial: int) -> str:
    """Returns a valid 统一社会信用代码 for a grassroots union: 81, region 310110, serial, check digit by GB 32100."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"81310110{serial % 10**9:09d}"
    total = sum(alphabet.index(character) * pow(3, position, 31) for position, character in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def sign_in(story: Story) -> None:
    """The superior union creates a grassroots union with a clerk, who sets a password by the link in an SMS."""
    password = demo_password()
    story.administrator.sign_in("yangpu-admin", password)
    story.reviewer.sign_in("yangpu", password)
    union = story.administrator.post(
        "unions",
        {
            "name": f"上海演示第{story.seed}号公司工会",
            "code": union_code(story.seed),
            "superior_union_id": story.administrator.account["union"]["union_id"],
        },
    )
    name = f"clerk{story.seed}"
    phone = f"137{story.seed % 10**8:08d}"
    story.administrator.post(
        f"unions/{union['union_id']}/accounts",
        {"account_name": name, "display_name": "王芳", "roles": ["clerk"], "phone": phone},
    )
    story.expect_refusal("sign_in_failed", lambda: ApiClient(story.stack.gateway_url).sign_in(name, "wrong-password"))
    choose_first_password(story.clerk, phone, CLERK_PASSWORD, story.stack.simulator_urls["sms"])
    story.clerk.sign_in(name, CLERK_PASSWORD)
    story.report(
        f"Signed in: administrator and reviewer of {story.reviewer.account['union']['name']}; {name} of a new union"
    )


def import_members(story: Story) -> None:
    """The clerk fills in the template, previews and confirms it; invalid rows come back with their errors."""
    sheet = fill_in(story.clerk.download("members/imports/template.xlsx"), story.people.rows)
    finished = story.clerk.import_members("会员名册.xlsx", sheet)
    story.expect("the import's state", finished["state"], "finished")
    story.expect("rows accepted", finished["rows_accepted"], len(story.people.importable))
    story.expect("rows rejected", finished["rows_rejected"], len(story.people.broken_rows))
    errors = story.clerk.download(f"members/imports/{finished['import_id']}/errors.xlsx")
    returned = list(load_workbook(io.BytesIO(errors)).worksheets[0].iter_rows(values_only=True))
    story.expect("the last heading of the error sheet", returned[0][-1], "错误原因")
    story.expect("rows in the error sheet", len(returned) - 1, len(story.people.broken_rows))
    story.report(
        f"Imported {finished['rows_accepted']} members from an .xlsx ({len(sheet)} bytes); "
        f"{len(story.people.broken_rows)} bad rows came back: " + "; ".join(str(row[-1]) for row in returned[1:])
    )


def wait_for_numbers(story: Story) -> None:
    """Member numbers are assigned asynchronously; a member without one cannot be queued."""
    wait_until(lambda: all(member["member_no"] for member in _members(story)), "every member has a number")
    story.expect("members that can be queued", sum(member["selectable"] for member in _members(story)), 200)
    found = story.clerk.get("members", document_number=story.people.rare_name.document_number)["items"]
    story.expect(
        "members found by document number", [member["name"] for member in found], [story.people.rare_name.name]
    )
    story.expect("the number is masked", "*" in found[0]["document_number"], True)
    story.report(f"All 200 have a member number, from {min(m['member_no'] for m in _members(story))} on")


def queue_all(story: Story) -> None:
    """The clerk queues all members without a card."""
    key = f"queue-{story.seed}"
    answer = story.clerk.post("members/queue", {"filter": {"card_state": "none"}}, key)
    story.expect("members queued", answer["queued"], 200)
    story.expect(
        "the same command again changes nothing",
        story.clerk.post("members/queue", {"filter": {"card_state": "none"}}, key),
        answer,
    )
    wait_until(
        lambda: _counts(story)["ordinary"]["total"] + _counts(story)["special"]["total"] == 200, "all are listed"
    )
    special = story.clerk.get("pending", channel="special")["items"]
    expected = sorted([story.people.rare_name.name, story.people.passport.name])
    story.expect("names in the special channel", sorted(entry["name"] for entry in special), expected)
    reasons = {entry["name"]: entry["channel_reason"] for entry in special}
    story.report(f"Queued all 200: 198 in the ordinary channel, 2 in the special one: {reasons}")


def check_all(story: Story) -> None:
    """The system checks identity and retirement; those who failed are removed."""
    registry, number = story.stack.simulator_urls["registry"], story.people.registry_retired.document_number
    requests.put(f"{registry}/control/persons", json={number: {"status": "retired", "since": "2026-03-01"}}, timeout=5)
    story.expect_refusal("not_all_passed", lambda: _submit(story, "ordinary"))
    started = time.monotonic()
    story.clerk.post("pending/validate")
    counts = wait_until(
        lambda: _if(_counts(story)["ordinary"], lambda c: c["unchecked"] + c["checking"] + c["waiting"] == 0),
        "every check has a result",
    )
    seconds = time.monotonic() - started
    failed = story.clerk.all_pages("pending", channel="ordinary", check_state="failed")
    expected = sorted(person.name for person in story.people.removed)
    story.expect("who failed", sorted(entry["name"] for entry in failed), expected)
    codes = Counter(f["code"] for entry in failed for f in entry["findings"] if f["severity"] == "error")
    story.report(f"Checked 198 in {seconds:.2f} s: {counts['passed']} passed, {counts['failed']} failed: {dict(codes)}")
    story.expect_refusal("not_all_passed", lambda: _submit(story, "ordinary"))
    story.expect("removed", story.clerk.post("pending/remove", {"which": "not_passed"})["removed"], len(expected))
    wait_until(lambda: _state_counts(story)["none"] == len(expected), "the removed members are free again")
    story.report(f"Removed the {len(expected)} who failed; their members are free again")


def complete_special_channel(story: Story) -> None:
    """The special channel requires document type, expiry and nationality; its system check is the same."""
    for entry in story.clerk.get("pending", channel="special")["items"]:
        person = next(p for p in (story.people.rare_name, story.people.passport) if p.name == entry["name"])
        story.clerk.patch(
            f"pending/{entry['application_id']}",
            {
                "document_type": entry["document_type"],
                "document_expiry": person.document_expiry,
                "nationality": person.nationality,
            },
        )
    passport = next(e for e in story.clerk.get("pending", channel="special")["items"] if e["name"] == "SMITH JOHN")
    story.expect_refusal(
        "channel_locked", lambda: story.clerk.patch(f"pending/{passport['application_id']}", {"channel": "ordinary"})
    )
    story.expect("complete entries", _counts(story)["special"]["complete"], 2)
    story.expect_refusal("not_all_passed", lambda: _submit(story, "special"))
    story.clerk.post("pending/validate", {"channel": "special"})
    wait_until(lambda: _counts(story)["special"]["passed"] == 2, "both have passed the check")
    story.report(
        "Completed and checked a rare-character name and a passport in the special channel, which it cannot leave"
    )


def submit_batches(story: Story) -> None:
    """Both channels are submitted to an outlet with everybody's consent, and the registers are printed."""
    form = story.clerk.download("pending/consent-form.pdf?channel=ordinary")
    story.expect("the form of consent is a PDF", form[:5], b"%PDF-")
    story.expect_refusal("consent_required", lambda: story.clerk.post("batches", _form_without_consent(story)))
    for channel, persons in (("ordinary", len(story.people.ordinary)), ("special", 2)):
        batch = _submit(story, channel)
        story.expect("persons in the batch", batch["total"], persons)
        story.batches[channel] = batch
        pdf = story.clerk.download(f"batches/{batch['batch_no']}/register.pdf")
        again = story.clerk.download(f"batches/{batch['batch_no']}/register.pdf")
        story.expect("the register is a PDF", pdf[:5], b"%PDF-")
        story.expect("the register always says the same", pdf == again, True)
        sheet = story.clerk.download(f"batches/{batch['batch_no']}/register.xlsx")
        attachments = story.clerk.download(f"batches/{batch['batch_no']}/attachments.zip")
        story.report(
            f"Submitted {batch['batch_no']} ({channel}, {persons} persons) to {batch['outlet']['name']}; register "
            f"{len(pdf)} bytes PDF, {len(sheet)} bytes .xlsx, attachments {len(attachments)} bytes"
        )
        signed = story.clerk.get(f"batches/{batch['batch_no']}/members", size=1)["items"][0]["consent"]
        story.expect("what the members agreed to", signed["basis"], "signed_form")
    story.expect_refusal("pending_empty", lambda: _submit(story, "ordinary"))
    submitted = len(story.people.ordinary) + 2
    wait_until(lambda: _state_counts(story)["submitted"] == submitted, "all members of the batches are 办理中")


def bank_answers_in_parts(story: Story) -> None:
    """The bank answers for half of the ordinary batch: in parts, out of order, twice; one refusal, some invalid."""
    batch_no = story.batches["ordinary"]["batch_no"]
    _bank_has(story, batch_no, len(story.people.ordinary))
    started = time.monotonic()
    _order_feedback(story, batch_no, {"outcome": "accepted"})
    _order_feedback(story, batch_no, {"outcome": "issued", "count": 99, "parts": 7, "duplicate": True, "reorder": True})
    _order_feedback(story, batch_no, {"outcome": "refused", "count": 1})
    row = wait_until(
        lambda: _if(_batch(story, batch_no), lambda row: row["issued"] == 99 and row["refused"] == 1),
        "99 cards are issued and one is refused",
    )
    wait_until(lambda: _state_counts(story)["issued"] == 99, "99 members have a card")
    story.report(
        f"Bank feedback in 7 parts, each twice and out of order, took {time.monotonic() - started:.2f} s: issued "
        f"{row['issued']}, refused {row['refused']}"
    )
    _send_nonsense(story)
    wait_until(lambda: _rejected(story) == 3, "three bad messages are in the rejected queue")
    story.report("Unsigned, malformed and unknown-batch feedback waits in bank.feedback.rejected with its reason")


def revoke_special_batch(story: Story) -> None:
    """The clerk requests to revoke the special batch; the superior union agrees; its members are free again."""
    batch_no = story.batches["special"]["batch_no"]
    revocation = _request_revocation(story, batch_no)
    story.expect_refusal("revocation_open", lambda: _request_revocation(story, batch_no))
    open_requests = story.reviewer.get("revocations", state="requested", batch_no=batch_no)["items"]
    story.expect("requests to review", [r["revocation_id"] for r in open_requests], [revocation["revocation_id"]])
    story.reviewer.post(f"revocations/{revocation['revocation_id']}/approve", {"remark": "同意撤销"})
    row = wait_until(
        lambda: _if(
            _batch(story, batch_no), lambda row: row["released"] == 2 and row["revocation_state"] == "approved"
        ),
        "the batch's members are released",
    )
    wait_until(
        lambda: _state_counts(story)["none"] == len(story.people.removed) + 1 + 2, "the released members are free again"
    )
    wait_until(lambda: _bank_recalled(story, batch_no) == 2, "the bank knows of the recall")
    story.expect("the batch's state", row["state"], "revoked")
    story.report(
        f"Revoked {batch_no} with the superior union's consent: 2 members are free again, the bank recalls them"
    )


def reject_revocation_of_ordinary_batch(story: Story) -> None:
    """The superior union does not agree to revoke the ordinary batch; its members stay locked."""
    batch_no = story.batches["ordinary"]["batch_no"]
    revocation = _request_revocation(story, batch_no)
    story.expect_refusal(
        "invalid", lambda: story.reviewer.post(f"revocations/{revocation['revocation_id']}/reject", {})
    )
    story.reviewer.post(f"revocations/{revocation['revocation_id']}/reject", {"remark": REJECTING_REMARK})
    wait_until(
        lambda: _batch(story, batch_no)["revocation_state"] == "rejected",
        "the batch shows that its revocation was rejected",
    )
    story.expect_refusal(
        "already_decided", lambda: story.reviewer.post(f"revocations/{revocation['revocation_id']}/approve", {})
    )
    locked = story.clerk.all_pages("members", card_state="submitted")
    undecided = len(story.people.ordinary) - 100
    story.expect("locked members", [len(locked), any(member["selectable"] for member in locked)], [undecided, False])
    story.report(f"Revocation of {batch_no} was rejected: its {undecided} undecided members stay locked")


def late_card(story: Story) -> None:
    """A card of the revoked batch is issued late: the member has it, and the newer application is cancelled."""
    batch_no = story.batches["special"]["batch_no"]
    person = story.people.rare_name
    member = story.clerk.get("members", document_number=person.document_number)["items"][0]
    released = story.clerk.get(f"members/{member['member_id']}")["applications"][0]["application_id"]
    story.clerk.post("members/queue", {"member_ids": [member["member_id"]]})
    wait_until(lambda: _counts(story)["special"]["total"] == 1, "the member is listed again")
    _order_feedback(story, batch_no, {"results": [{"application_id": released, "outcome": "issued"}]})
    wait_until(lambda: _counts(story)["special"]["total"] == 0, "the newer application is cancelled")
    wait_until(lambda: _state_counts(story)["issued"] == 100, "the late card counts")
    wait_until(
        lambda: _history(story, member["member_id"]) == ["removed", "issued"], "the newer application is removed"
    )
    story.report(f"A card of the revoked batch came late: {person.name} has it, the newer application was cancelled")


def bank_finishes(story: Story) -> None:
    """The bank issues the rest; everybody concerned has been notified."""
    batch_no = story.batches["ordinary"]["batch_no"]
    _order_feedback(story, batch_no, {"outcome": "issued", "parts": 3})
    wait_until(lambda: _batch(story, batch_no)["state"] == "decided", "the bank has decided on all")
    wait_until(lambda: _state_counts(story)["issued"] == len(story.people.ordinary), "all but one of them have a card")
    wait_until(lambda: _revocation_has_applied(story, batch_no), "revocation has applied all of the bank's decisions")
    wait_until(lambda: _is_refused(story, batch_no, "batch_decided"), "a decided batch cannot be revoked")
    inbox = wait_until(
        lambda: _if(story.clerk.get("messages", size=200), lambda inbox: inbox["unread"] >= 4), "the clerk has messages"
    )
    phone = _contact(story)["contact_phone"]
    sms = wait_until(
        lambda: requests.get(
            f"{story.stack.simulator_urls['sms']}/messages", params={"phone": phone}, timeout=5
        ).json()["items"],
        "the contact got a text message",
    )
    story.report(
        f"The bank issued the rest; the clerk has {inbox['unread']} unread messages, the contact got {len(sms)} SMS"
    )


def society_insures_members(story: Story) -> None:
    """The mutual-aid society, if one is simulated, learns who has a card, and enrols each of them."""
    if "insurer" not in story.stack.simulator_urls:
        return
    holders = len(story.people.ordinary)
    wait_until(lambda: story.clerk.get("enrolments")["total"] == holders, "all members with a card are enrolled")
    story.report(f"The mutual-aid society was told of {holders} members with a card, and has enrolled each of them")


def check_invariants(story: Story) -> None:
    """Membership and batching agree on every application, nobody has two live ones, and no message is left."""
    members = _members(story)
    states = Counter(member["card_state"] for member in members)
    issued = len(story.people.ordinary)
    story.expect("card states", dict(states), {"issued": issued, "none": len(members) - issued})
    by_batching = {
        person["application_id"]: person["state"]
        for batch in story.batches.values()
        for person in story.clerk.all_pages(f"batches/{batch['batch_no']}/members")
    }
    live = 0
    for member in members:
        applications = story.clerk.get(f"members/{member['member_id']}")["applications"]
        live += sum(application["state"] in ("queued", "submitted") for application in applications)
        for application in applications:
            expected = by_batching.pop(application["application_id"], "removed")
            story.expect("the state that both services know", application["state"], expected)
    story.expect("live applications", live, 0)
    story.expect("applications that only batching knows", by_batching, {})
    story.report("Membership and batching agree on all 201 applications; nobody has two cards or two live applications")


CHAPTERS = (
    sign_in,
    import_members,
    wait_for_numbers,
    queue_all,
    check_all,
    complete_special_channel,
    submit_batches,
    bank_answers_in_parts,
    revoke_special_batch,
    reject_revocation_of_ordinary_batch,
    late_card,
    bank_finishes,
    society_insures_members,
    check_invariants,
)


def _if(answer: Any, holds: Callable[[Any], bool]) -> Any:
    return answer if holds(answer) else None


def _members(story: Story) -> list[dict[str, Any]]:
    return story.clerk.all_pages("members")


def _history(story: Story, member_id: str) -> list[str]:
    """Returns the states of a member's applications, newest first."""
    return [application["state"] for application in story.clerk.get(f"members/{member_id}")["applications"]]


def _state_counts(story: Story) -> Counter[str]:
    return Counter(member["card_state"] for member in _members(story))


def _counts(story: Story) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = story.clerk.get("pending", size=1)["counts"]
    return counts


def _contact(story: Story) -> dict[str, str]:
    return {"contact_name": "王芳", "contact_phone": f"139{story.seed % 10**8:08d}"}


def _submit(story: Story, channel: str) -> dict[str, Any]:
    consent = {"consent_version": story.clerk.get("consent-text")["version"]}
    form = {**_form_without_consent(story), **consent, "channel": channel}
    batch: dict[str, Any] = story.clerk.post("batches", form)
    return batch


def _form_without_consent(story: Story) -> dict[str, str]:
    outlet = story.clerk.get("outlets", q="国华广场")["items"][0]
    place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    return {"channel": "ordinary", **place, **_contact(story)}


def _batch(story: Story, batch_no: str) -> dict[str, Any]:
    batch: dict[str, Any] = story.clerk.get(f"batches/{batch_no}")
    return batch


def _request_revocation(story: Story, batch_no: str) -> dict[str, Any]:
    applicant = {
        "applicant_name": "王芳",
        "applicant_phone": _contact(story)["contact_phone"],
        "reason_code": "information",
        "reason": "3 人的证件到期日填错",
    }

    def ask() -> dict[str, Any] | None:
        try:
            revocation: dict[str, Any] = story.clerk.post("revocations", {"batch_no": batch_no, **applicant})
        except ApiProblem as problem:
            if problem.code == "not_found":
                return None
            raise
        return revocation

    return wait_until(ask, f"revocation has applied {batch_no}")


def _order_feedback(story: Story, batch_no: str, order: dict[str, Any]) -> None:
    requests.post(
        f"{story.stack.simulator_urls['bank']}/batches/{batch_no}/feedback", json=order, timeout=30
    ).raise_for_status()


def _bank_has(story: Story, batch_no: str, persons: int) -> None:
    wait_until(lambda: _bank_batch(story, batch_no).get("received") == persons, f"the bank has {batch_no}")


def _bank_recalled(story: Story, batch_no: str) -> int:
    return len(_bank_batch(story, batch_no).get("recalled", []))


def _bank_batch(story: Story, batch_no: str) -> dict[str, Any]:
    answer = requests.get(f"{story.stack.simulator_urls['bank']}/batches/{batch_no}", timeout=5)
    batch: dict[str, Any] = answer.json() if answer.ok else {}
    return batch


def _send_nonsense(story: Story) -> None:
    for body in (f'{{"feedback_id": "unsigned {_mark(story)}"}}', f'{{"feedback_id": "malformed {_mark(story)}'):
        order = {"body": base64.b64encode(body.encode()).decode(), "headers": {}}
        requests.post(f"{story.stack.simulator_urls['bank']}/raw", json=order, timeout=30).raise_for_status()
    unknown = {"application_id": str(uuid4()), "outcome": "refused", "reason_code": "photo_unclear"}
    _order_feedback(story, f"cbc-{_mark(story)}", {"results": [unknown], "feedback_id": f"unknown {_mark(story)}"})


def _rejected(story: Story) -> int | None:
    """How many of the story's messages are in the rejected queue, which may hold others as well; None: unknown now."""
    try:
        letters = DeadLetters(story.stack.addresses.amqp_uris["batching"]).read_all(REJECTED_QUEUE)
    except BrokerAway:
        return None
    mark = _mark(story)
    return sum(mark in (letter.external_id or "") or mark.encode() in letter.body for letter in letters)


def _mark(story: Story) -> str:
    return f"of-story-{story.seed:010}"


def _revocation_has_applied(story: Story, batch_no: str) -> bool:
    """Whether revocation's list of requests shows all of a batch's applicants as decided."""
    return any(
        request["issued"] + request["refused"] + request["released"] == request["total"]
        for request in story.clerk.all_pages("revocations")
        if request["batch_no"] == batch_no
    )


def _is_refused(story: Story, batch_no: str, code: str) -> bool:
    """Whether a revocation is refused with this code; revocation receives the bank's decisions a moment later."""
    try:
        _request_revocation(story, batch_no)
    except ApiProblem as refused:
        return refused.code == code
    raise UnexpectedResult(f"the revocation of {batch_no} was taken, although the bank has decided on all")


def _set_bank_mode(story: Story, mode: str) -> None:
    requests.put(f"{story.stack.simulator_urls['bank']}/control", json={"mode": mode}, timeout=5).raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
