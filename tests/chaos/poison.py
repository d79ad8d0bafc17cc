"""Malformed bank messages, drawn by hypothesis: the kind of each, and its bytes on the wire."""

import gzip
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from amqp.basic_message import Message as AmqpMessage
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.contracts.external.protection import SIGNATURE_HEADER, sign

SECRET = "310101199003078814"
"""A text like a document number, put wherever text may be; no log and no reason may contain it."""
_feedback_numbers = itertools.count(1)
_REFUSAL = {"outcome": "refused", "reason_code": "name_mismatch", "reason": "姓名与证件不符"}
_ODD_TEXT = st.text(
    st.characters(categories=("Cs", "Cc", "Cf", "Mn", "Lo", "Nd", "So")), max_size=80
) | st.sampled_from(["\0", "\ud800", "\u202e" + SECRET, "é" * 60, "🙈" * 30, "", " ", SECRET, "x" * 70_000])
_ODD_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-0",
    "9" * 4000,
    "9" * 9000,
    "1" + "0" * 308,
    "0.1e-400",
    "-1",
)
_MOMENTS = (
    *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z"),
    *(
        "2026-11-25",
        "25.11.2026",
        "2026-11-25T02:00:00",
        "2026-11-25T02:00:00+99:99",
        SECRET,
        "1764036000",
        "+292277026596",
    ),
)
_FIELDS = ("feedback_id", "batch_no", "processed_at", "results")
_RESULT_FIELDS = ("application_id", "member_no", "outcome", "card_no", "reason_code", "reason")


@dataclass(frozen=True)
class Poison:
    """A message for the queue `bank.feedback`; `raw` are properties on the wire that no client library writes."""

    kind: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None

    def to_amqp(self, message_id: str) -> AmqpMessage:
        """Returns the message to publish under this id."""
        if self.raw is None:
            return AmqpMessage(self.body, **{"delivery_mode": 2, "message_id": message_id, **self.properties})
        message = _RawMessage(self.body)
        message.raw = self.raw
        return message


@dataclass(frozen=True)
class Target:
    """What the messages refer to: a batch, its applications (used by no other messages), and the bank's key."""

    batch_no: str
    application_ids: Sequence[str]
    key: bytes
    processed_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def feedback(self, *results: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Returns a valid feedback document with a new id."""
        named = {
            "feedback_id": f"f-{next(_feedback_numbers)}",
            "batch_no": self.batch_no,
            "processed_at": self.processed_at,
        }
        return {**named, "results": list(results), **changes}

    def signed(self, kind: str, body: bytes, headers: dict[str, Any] | None = None, **properties: Any) -> Poison:
        """Returns a message with a valid signature and any content."""
        signature = {SIGNATURE_HEADER: sign(body, self.key)}
        return Poison(kind, body, {"application_headers": {**signature, **(headers or {})}, **properties})


def draw(target: Target, count: int) -> list[Poison]:
    """Draws `count` messages, the same ones each time."""
    drawn: list[Poison] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(sorted(KINDS)))
        drawn.append(data.draw(KINDS[kind](target)))

    while len(drawn) < count:
        before = len(drawn)
        collect()
        if len(drawn) == before:
            raise RuntimeError("Nothing more was drawn.")
    return drawn[:count]


def to_json(document: Any) -> bytes:
    """Writes JSON with all values that a lenient writer allows."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


class _RawMessage(AmqpMessage):
    raw = b""

    def _serialize_properties(self) -> bytes:
        return self.raw


def _bytes(target: Target) -> st.SearchStrategy[Poison]:
    made = st.binary(max_size=3000) | st.sampled_from([b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"{", b'"'])
    return made.map(lambda body: target.signed("bytes", body))


def _shapes(target: Target) -> st.SearchStrategy[Poison]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | _ODD_TEXT
    shapes = st.recursive(leaves, lambda inner: st.lists(inner, max_size=5) | _named(inner), max_leaves=12)
    return shapes.map(lambda shape: target.signed("JSON shapes", to_json(shape)))


def _named(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from([*_FIELDS, *_RESULT_FIELDS, "other"]) | _ODD_TEXT, inner, max_size=6)


def _texts(target: Target) -> st.SearchStrategy[Poison]:
    def put(name: str, text: str, one: str, as_escape: bool) -> Poison:
        document = target.feedback({"application_id": one, **_REFUSAL})
        where = document if name in _FIELDS or name == "other" else document["results"][0]
        where[name] = text
        body = json.dumps(document).encode() if as_escape else to_json(document)
        return target.signed("odd text", body)

    names = st.sampled_from([*_FIELDS, *_RESULT_FIELDS, "other"])
    return st.builds(put, names, _ODD_TEXT, _one_of(target), st.booleans())


def _numbers(target: Target) -> st.SearchStrategy[Poison]:
    def put(name: str, number: str, one: str) -> Poison:
        result: dict[str, Any] = {"application_id": one, **_REFUSAL}
        document = target.feedback({**result, name: "@"}) if name in _RESULT_FIELDS else target.feedback(result)
        if name not in _RESULT_FIELDS:
            document[name] = "@"
        return target.signed("numbers", to_json(document).replace(b'"@"', number.encode()))

    names = st.sampled_from([*_FIELDS, *_RESULT_FIELDS, "other"])
    return st.builds(put, names, st.sampled_from(_ODD_NUMBERS) | st.integers().map(str), _one_of(target))


def _nesting(target: Target) -> st.SearchStrategy[Poison]:
    def nest(depth: int, opening: str, closing: str, name: str | None, one: str) -> Poison:
        nested = opening * depth + "1" + closing * depth
        if name is None:
            return target.signed("deep nesting", nested.encode())
        document = {**target.feedback({"application_id": one, **_REFUSAL}), name: "@"}
        return target.signed("deep nesting", to_json(document).replace(b'"@"', nested.encode()))

    brackets = st.sampled_from([("[", "]"), ('{"a":', "}"), ("[", ""), ('[{"a":', "}]")])
    depths = st.integers(1, 3000) | st.sampled_from([100_000])
    names = st.sampled_from([None, "results", "other", "feedback_id"])
    return st.tuples(depths, brackets, names, _one_of(target)).map(lambda of: nest(of[0], *of[1], of[2], of[3]))


def _signatures(target: Target) -> st.SearchStrategy[Poison]:
    def forge(one: str, how: Callable[[bytes], Any]) -> Poison:
        body = to_json(target.feedback({"application_id": one, **_REFUSAL}))
        signature = how(body)
        headers = {} if signature is None else {SIGNATURE_HEADER: signature}
        return Poison("signatures", body, {"application_headers": headers})

    forgeries: list[Callable[[bytes], Any]] = [
        lambda _: None,
        lambda _: "0" * 64,
        lambda _: "\ud800",
        lambda _: "签" * 64,
        lambda _: 7,
        lambda _: [SECRET],
        lambda _: "x" * 60_000,
        lambda body: sign(body, b"another's key"),
        lambda body: sign(body + b" ", target.key),
        lambda body: sign(body, target.key).upper(),
        lambda body: sign(body, target.key)[:-1],
    ]
    return st.builds(forge, _one_of(target), st.sampled_from(forgeries))


def _headers(target: Target) -> st.SearchStrategy[Poison]:
    values = st.sampled_from(
        ["", "many", -1, 10**15, 1.5, None, True, datetime(2026, 1, 1, tzinfo=UTC), ["a", {"b": 1}], {"c": SECRET}]
    )
    names = st.sampled_from(
        [
            "x-attempts",
            "x-first-failed-at",
            "x-reason",
            "x-cause",
            "x-original-queue",
            "x-traceback",
            "theirs",
            "x-death",
        ]
    )
    properties = st.fixed_dictionaries(
        {},
        optional={
            "content_encoding": st.sampled_from(["gzip", "utf-16", "none", "x" * 200]),
            "content_type": st.sampled_from(["application/json", "text/plain", "x" * 250]),
            "timestamp": st.sampled_from([0, 2**63, 2**64 - 1]),
            "expiration": st.just("600000"),
            "priority": st.integers(0, 255),
            "reply_to": st.just("batching.requests"),
            "correlation_id": st.just("c" * 255),
            "type": st.just("batching.cards_issued.v1"),
            "user_id": st.just("cards"),
        },
    )

    def put(one: str, headers: dict[str, Any], properties: dict[str, Any], batch_no: str, packs: bool) -> Poison:
        body = to_json(target.feedback({"application_id": one, **_REFUSAL}, batch_no=batch_no))
        return target.signed("headers", gzip.compress(body, mtime=0) if packs else body, headers, **properties)

    copying = st.sampled_from([{}, {"BCC": ["batching.revocation_approved"]}, {"CC": ["batching.members_queued"]}])
    made = st.tuples(st.dictionaries(names, values, max_size=4), copying).map(lambda both: {**both[0], **both[1]})
    return st.builds(put, _one_of(target), made, properties, st.sampled_from([target.batch_no, "none"]), st.booleans())


def _properties(target: Target) -> st.SearchStrategy[Poison]:
    raws = [
        b"\x80\x00\x02\xff\xfe",  # a content type that is no UTF-8
        b"\x04\x00\x02\xff\xfe",  # a correlation id that is no UTF-8
        b"\x20\x00\x00\x00\x00\x0b\x01tT\x00\x00\x01\x9a\x00\x00\x00\x00",  # a header of the year 50,000
    ]

    def make(one: str, raw: bytes, number: int) -> Poison:
        document = target.feedback({"application_id": one, **_REFUSAL}, feedback_id=f"raw {number}")
        return Poison("unreadable properties", to_json(document), raw=raw)

    return st.builds(make, _one_of(target), st.sampled_from(raws), st.integers(0, 2**60))


def _fields(target: Target) -> st.SearchStrategy[Poison]:
    def change(one: str, name: str, how: str, value: Any) -> Poison:
        document = target.feedback({"application_id": one, "member_no": None, "card_no": None, **_REFUSAL})
        where = document if name in _FIELDS else document["results"][0]
        if how == "dropped":
            del where[name]
        elif how == "retyped":
            where[name] = value
        body = to_json(document)
        if how == "duplicated":
            body = body[:-1] + b', "batch_no": ' + to_json(value) + b"}"
        return target.signed(f"a field {how}", body)

    values: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, 7, 1.5, "", "x" * 300, [], {}, [None], [[]], [{}], {"a": 1}, SECRET]
    )
    hows = st.sampled_from(["dropped", "retyped", "duplicated"])
    return st.builds(change, _one_of(target), st.sampled_from([*_FIELDS, *_RESULT_FIELDS]), hows, values)


def _sense(target: Target) -> st.SearchStrategy[Poison]:
    strangers = st.uuids().map(str)
    cards = st.sampled_from(["6224780000000001", "6224789999999993", "0" * 16, "0" * 19, "1", SECRET])
    outcomes = st.sampled_from(["issued", "refused", "accepted", "made", "lost", "ISSUED"])
    results = st.fixed_dictionaries(
        {"application_id": _one_of(target) | strangers, "outcome": outcomes},
        optional={"card_no": cards, "reason_code": st.just("other"), "member_no": st.sampled_from(["1", SECRET, ""])},
    )
    documents = st.builds(
        lambda some, moment, batch, feedback_id: target.feedback(
            *some, processed_at=moment, batch_no=batch, feedback_id=feedback_id
        ),
        st.lists(results, min_size=1, max_size=6),
        st.sampled_from([*_MOMENTS, *[target.processed_at] * 8]),
        st.sampled_from([target.batch_no] * 5 + ["cbc0", "x" * 64, "x" * 65]),
        st.sampled_from(["the same id", "f", "x" * 64, "x" * 65]),
    )
    return documents.map(lambda document: target.signed("sense", to_json(document)))


def _sizes(target: Target) -> st.SearchStrategy[Poison]:
    def pad(one: str, size: int, filling: str) -> Poison:
        document = {**target.feedback({"application_id": one, **_REFUSAL}), "other": filling * (size // len(filling))}
        body = to_json(document)
        if filling != "x":
            body = body.replace(f'"{filling}'.encode(), f"[{filling}".encode()).replace(filling.encode() + b'"', b"[]]")
        return target.signed("sizes", body)

    sizes = st.sampled_from([*[10_000] * 20, *[100_000] * 10, *[900_000] * 3, 1_048_576, 3_000_000, 10_000_000])
    return st.builds(pad, _one_of(target), sizes, st.sampled_from(["x", "[],", "7,"]))


def _one_of(target: Target) -> st.SearchStrategy[str]:
    return st.sampled_from(target.application_ids)


KINDS: dict[str, Callable[[Target], st.SearchStrategy[Poison]]] = {
    "bytes": _bytes,
    "shapes": _shapes,
    "texts": _texts,
    "numbers": _numbers,
    "nesting": _nesting,
    "signatures": _signatures,
    "headers": _headers,
    "properties": _properties,
    "fields": _fields,
    "sense": _sense,
    "sizes": _sizes,
}
