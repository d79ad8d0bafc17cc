"""Reports of the mutual-aid society as they are read: whatever a document holds, it is read or refused."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from amqp.basic_message import Message as AmqpMessage
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from services.contracts.external import insurer
from services.contracts.external.protection import SIGNATURE_HEADER, encrypt, read_keys, sign
from services.contracts.shared import ENROLMENT_KINDS, ENROLMENT_WAYS
from services.kit.events.subscribe import Message, Reject
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.settings import read_settings
from services.membership.enrolments.reading import read_report

KEY = b"the key shared with the society"
OURS = new_encryption_keys("enrolment-2026")
PUBLIC = read_keys(public_part(OURS), private=False)[0]
SECRET = "310101199003078814"


@pytest.fixture(autouse=True, scope="module")
def keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSURER_HMAC_KEY", KEY.decode())
        patch.setenv("INSURER_PUBLIC_KEYS", public_part(new_encryption_keys("society-2026")))
        patch.setenv("ENROLMENT_PRIVATE_KEYS", OURS)
        read_settings.cache_clear()
        yield
    read_settings.cache_clear()


def a_line(**changes: Any) -> dict[str, Any]:
    return {
        "enrolment_no": "JZ-1",
        "member_no": "0070352057",
        "year": 2026,
        "way": "collective",
        "kinds": ["hospital"],
        "covers_from": "2026-01-01",
        "covers_to": "2026-12-31",
        "state": "active",
        "changed_at": "2026-11-25T09:00:00+08:00",
        **changes,
    }


def signed(body: bytes, message: str = insurer.ENROLMENTS_QUEUE, key: bytes = KEY) -> Message:
    body = encrypt(body, message, PUBLIC)
    return Message(body, {SIGNATURE_HEADER: sign(body, key)}, None, AmqpMessage(body))


def said_of(message: Message) -> str:
    """Why a message or lines of it are refused."""
    try:
        return "".join(read_report(message).reasons())
    except Reject as refusal:
        return str(refusal)


_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_LEAVES = st.none() | st.booleans() | _NUMBERS | st.text(max_size=20) | st.just(SECRET)
_NAMES = st.sampled_from(["report_id", "enrolments", *a_line(), "ended_on", "reason", "cut_from_lines", "other"])
_SHAPES = st.recursive(
    _LEAVES | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=12,
)
_VALUES = _LEAVES.filter(lambda value: not isinstance(value, str) or "\0" not in value)
"""Without NUL, for which a report is refused as a whole."""
_CHANGES = st.dictionaries(_NAMES, _VALUES | st.lists(_VALUES, max_size=3), max_size=4)


@given(_SHAPES)
def test_any_json_is_read_or_refused_without_its_values(document: Any) -> None:
    assert SECRET not in said_of(signed(json.dumps(document).encode()))


@given(st.lists(_CHANGES, min_size=1, max_size=4))
def test_each_line_of_a_report_is_valid_or_has_its_faults(changes: list[dict[str, Any]]) -> None:
    lines = [{**a_line(), **change} for change in changes]
    report = read_report(signed(json.dumps({"report_id": "r-1", "enrolments": lines}).encode()))
    assert {*report.enrolments} | {*report.refusals} == {*range(len(lines))}
    assert not {*report.enrolments} & {*report.refusals}
    assert SECRET not in "".join(report.reasons())


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b'{"report_id": "1", "report_id": "2"}', b"[" * 5000])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Reject, match=r"not_json|bad_schema"):
        read_report(signed(body))


@pytest.mark.parametrize("name", ["report_id", "reason", "other"])
def test_a_report_with_a_nul_in_any_text_is_refused_as_a_whole(name: str) -> None:
    lines = [a_line(), a_line(**{name: "\0"})]
    with pytest.raises(Reject, match="not_json"):
        read_report(signed(json.dumps({"report_id": "r-1", "enrolments": lines}).encode()))


def test_a_report_that_another_signed_or_that_was_encrypted_as_another_message_is_refused() -> None:
    body = json.dumps({"report_id": "r-1", "enrolments": [a_line()]}).encode()
    with pytest.raises(Reject, match="bad_signature"):
        read_report(signed(body, key=b"another"))
    with pytest.raises(Reject, match="cannot_decrypt"):
        read_report(signed(body, message=insurer.RECEIPT))


_DAYS = st.dates(date(2025, 12, 1), date(2027, 2, 1))


@given(st.sampled_from(ENROLMENT_WAYS), _DAYS, _DAYS, st.none() | _DAYS, st.booleans())
def test_the_days_of_an_enrolment_are_those_of_its_year_way_and_state(
    way: str, first: date, last: date, end: date | None, has_ended: bool
) -> None:
    line = a_line(
        way=way,
        covers_from=first.isoformat(),
        covers_to=last.isoformat(),
        state="ended" if has_ended else "active",
        ended_on=end and end.isoformat(),
    )
    starts = first == date(2026, 1, 1) if way == "collective" else date(2026, 1, 1) < first <= date(2026, 12, 31)
    ends = first - timedelta(days=1) <= end <= last if end else not has_ended
    is_valid = last == date(2026, 12, 31) and starts and ends and has_ended == (end is not None)
    try:
        insurer.EnrolmentLine().load(line)
    except ValidationError:
        assert not is_valid
    else:
        assert is_valid


@given(st.lists(st.sampled_from(ENROLMENT_KINDS), max_size=6))
def test_each_kind_is_named_once(kinds: list[str]) -> None:
    is_valid = 0 < len(kinds) == len(set(kinds))
    assert (insurer.EnrolmentLine().validate(a_line(kinds=kinds)) == {}) == is_valid
