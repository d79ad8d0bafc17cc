"""What a grassroots union does with its members' cards, month after month; the past ends where it has come to."""

from random import Random
from typing import Any

from deploy.history.city import City, Grassroots
from deploy.history.people import newcomers
from deploy.history.telling import Story
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.demo_people import Person, fill_in

_DAYS_UNTIL_REPORTS = (3, 2, 9, 6, 4, 3)
"""Working days before each step of the cards: collected, activated, lost, replaced, collected again, activated."""
_PRINTED, _ASKED_BACK = 0.9, 0.2
"""The shares of batches whose register is printed, and whose revocation the union requests."""
_CHANNELS = ("ordinary", "special")
_RENEWED = "2040-01-31"
_PHONE = "13901234567"
_REASONS = (
    ("information", "2 人的证件到期日填错，需要更正后重新提交"),
    ("outlet", "经办网点选错，会员领卡不便"),
    ("members", "误将已离职人员提交办卡"),
)


def rounds_of_cards(city: City, union: Grassroots, dice: Random, until_left: int = 0) -> Story:
    """Registers newcomers and gets them cards every few weeks; no new round begins in the last days, if so many."""
    while city.days_left >= until_left:
        yield from _round(city, union, dice, dice.randrange(6, 22))
        yield dice.randrange(8, 18)


def silent_bank(city: City, union: Grassroots, dice: Random) -> Story:
    """A batch on which the bank says nothing, so that it becomes overdue; then the rounds go on."""
    yield from _listed(city, union, dice, 9)
    for batch_no in _submit_all(city, union, dice):
        _print(city, union, batch_no)
    yield from rounds_of_cards(city, union, dice)


def undecided_revocation(city: City, union: Grassroots, dice: Random) -> Story:
    """A request for revocation that nobody decides, so that it becomes overdue; then the rounds go on."""
    yield from _listed(city, union, dice, 7)
    batch_no = _submit_all(city, union, dice)[0]
    yield 1
    _request_revocation(city, union, batch_no, dice)
    yield from rounds_of_cards(city, union, dice)


def unmended_failures(city: City, union: Grassroots, dice: Random) -> Story:
    """A pending list with people who have failed the check, whom nobody mends, so that they become overdue."""
    clerk = city.account(union.clerk)
    register(city, clerk, newcomers(dice, 12))
    _queue_all(city, clerk)
    _check(clerk, "ordinary")
    yield 1
    register(city, city.account(union.clerk), newcomers(dice, 3))


def half_answered_batch(city: City, union: Grassroots, dice: Random) -> Story:
    """A batch that the bank has answered in part, while a second one waits to be submitted."""
    yield from _listed(city, union, dice, 11)
    batch_no = _submit_all(city, union, dice)[0]
    _print(city, union, batch_no)
    yield 1
    city.bank.accept(batch_no)
    yield 2
    _decide(city, batch_no, dice, share=0.6)
    yield from _listed(city, union, dice, 5)


def register(city: City, clerk: ApiClient, people: list[Person]) -> None:
    """Imports people from a sheet, and waits until all members of the union without a card have their numbers."""
    sheet = fill_in(clerk.download("members/imports/template.xlsx"), people)
    imported = clerk.import_members(f"{city.today:%Y年%m月}入会名单.xlsx", sheet)
    city.done["registered"] += imported["rows_accepted"]
    wait_until(lambda: all(one["member_no"] for one in clerk.all_pages("members", card_state="none")), "numbers")


def _round(city: City, union: Grassroots, dice: Random, joining: int) -> Story:
    yield from _listed(city, union, dice, joining)
    batches = _submit_all(city, union, dice)
    for batch_no in batches:
        if dice.random() < _PRINTED:
            _print(city, union, batch_no)
    if batches and dice.random() < _ASKED_BACK:
        yield 1
        revocation_id = _request_revocation(city, union, batches[0], dice)
        yield dice.randrange(1, 3)
        if _is_revoked(city, union, revocation_id, dice):
            del batches[0]
    for batch_no in batches:
        city.begin(_made_and_used(city, union, batch_no, dice), union.reviewer)


def _made_and_used(city: City, union: Grassroots, batch_no: str, dice: Random) -> Story:
    """The bank makes the cards; members collect and activate them, and some lose theirs."""
    city.bank.accept(batch_no)
    yield dice.randrange(1, 4)
    city.bank.make(batch_no)
    yield dice.randrange(1, 5)
    _decide(city, batch_no, dice, share=0.7)
    yield 2
    _decide(city, batch_no, dice)
    yield 1
    _read_messages(city, union)
    for number, days in enumerate(_DAYS_UNTIL_REPORTS):
        yield days
        city.bank.report_on_cards(batch_no, number)


def _listed(city: City, union: Grassroots, dice: Random, joining: int) -> Story:
    """People join, are queued, checked and mended, until all on the pending list have passed."""
    clerk = city.account(union.clerk)
    register(city, clerk, newcomers(dice, joining))
    yield 1
    clerk = city.account(union.clerk)
    _queue_all(city, clerk)
    _complete(clerk)
    for channel in _CHANNELS:
        _check(clerk, channel)
    yield dice.randrange(1, 3)
    clerk = city.account(union.clerk)
    _mend(city, clerk)


def _queue_all(city: City, clerk: ApiClient) -> None:
    before = sum(counts["total"] for counts in _counts(clerk).values())
    queued = clerk.post("members/queue", {"filter": {"card_state": "none"}})["queued"]
    city.done["queued"] += queued
    wait_until(lambda: sum(one["total"] for one in _counts(clerk).values()) == before + queued, "all are listed")


def _complete(clerk: ApiClient) -> None:
    """Completes what the special channel needs, as it is in the members' data."""
    for entry in clerk.all_pages("pending", channel="special"):
        form = {"document_type": entry["document_type"], "document_expiry": _RENEWED, "nationality": "CHN"}
        if entry["document_type"] == "passport":
            form["nationality"] = "GBR"
        clerk.patch(f"pending/{entry['application_id']}", form)


def _check(clerk: ApiClient, channel: str) -> None:
    if _counts(clerk)[channel]["total"]:
        clerk.post("pending/validate", {"channel": channel})
        _wait_for_checks(clerk, channel)


def _wait_for_checks(clerk: ApiClient, channel: str) -> None:
    def is_done() -> bool:
        counts = _counts(clerk)[channel]
        return not counts["checking"] + counts["waiting"]

    wait_until(is_done, "every check has a result")


def _mend(city: City, clerk: ApiClient) -> None:
    """Corrects documents that had expired, checks again, and removes who fails once more."""
    for channel in _CHANNELS:
        failed = clerk.all_pages("pending", channel=channel, check_state="failed")
        for entry in failed:
            if any("expir" in finding["code"] for finding in entry["findings"]):
                clerk.patch(f"pending/{entry['application_id']}", {"document_expiry": _RENEWED})
        if failed:
            _check(clerk, channel)
        left = clerk.all_pages("pending", channel=channel, check_state="failed")
        if left:
            clerk.post("pending/remove", {"application_ids": [one["application_id"] for one in left]})
            city.done["removed"] += len(left)


def _submit_all(city: City, union: Grassroots, dice: Random) -> list[str]:
    """Submits what has passed in both channels; returns the batches' numbers."""
    clerk = city.account(union.clerk)
    outlets = clerk.get("outlets", size=200)["items"]
    near = [one for one in outlets if one["district"] == union.district] or outlets
    batches = [batch for channel in _CHANNELS if (batch := _submit(clerk, channel, dice.choice(near)))]
    for batch in batches:
        city.bank.wait_for(batch["batch_no"], batch["total"])
    city.done["batches"] += len(batches)
    return [batch["batch_no"] for batch in batches]


def _submit(clerk: ApiClient, channel: str, outlet: dict[str, Any]) -> dict[str, Any] | None:
    """Checks a channel's list once more, since a check holds for a day, and submits it if all have passed."""
    form = {
        "channel": channel,
        "branch_code": outlet["branch_code"],
        "outlet_code": outlet["code"],
        "consent_version": clerk.get("consent-text")["version"],
        "contact_name": clerk.account["display_name"],
        "contact_phone": _PHONE,
    }
    listed = [one["application_id"] for one in clerk.all_pages("pending", channel=channel)]
    if listed:
        clerk.post("pending/validate", {"application_ids": listed})
        _wait_for_checks(clerk, channel)
    counts = _counts(clerk)[channel]
    if not counts["total"] or counts["passed"] < counts["total"]:
        return None
    batch: dict[str, Any] = clerk.post("batches", form)
    return batch


def _print(city: City, union: Grassroots, batch_no: str) -> None:
    city.account(union.clerk).download(f"batches/{batch_no}/register.pdf")


def _decide(city: City, batch_no: str, dice: Random, share: float = 1.0) -> None:
    issued, refused = city.bank.decide(batch_no, dice, share)
    city.done["issued"] += issued
    city.done["refused"] += refused


def _request_revocation(city: City, union: Grassroots, batch_no: str, dice: Random) -> str:
    reason_code, reason = dice.choice(_REASONS)
    clerk = city.account(union.clerk)
    form = {
        "batch_no": batch_no,
        "applicant_name": clerk.account["display_name"],
        "applicant_phone": _PHONE,
        "reason_code": reason_code,
        "reason": reason,
    }

    def asked() -> dict[str, Any] | None:
        try:
            request: dict[str, Any] = clerk.post("revocations", form)
        except ApiProblem as problem:
            if problem.code != "not_found":  # it hears of a batch a moment later
                raise
            return None
        return request

    return str(wait_until(asked, f"{batch_no} may be revoked")["revocation_id"])


def _is_revoked(city: City, union: Grassroots, revocation_id: str, dice: Random) -> bool:
    """Lets the reviewer decide; returns whether the batch is revoked."""
    agrees = dice.random() < 0.6
    verdict, remark = ("approve", "情况属实，同意撤销") if agrees else ("reject", "银行已开始制卡，不同意撤销")
    city.account(union.reviewer).post(f"revocations/{revocation_id}/{verdict}", {"remark": remark})
    city.done["revoked" if agrees else "revocations refused"] += 1
    return agrees


def _read_messages(city: City, union: Grassroots) -> None:
    city.account(union.clerk).post("messages/read-all")


def _counts(clerk: ApiClient) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = clerk.get("pending", size=1)["counts"]
    return counts
