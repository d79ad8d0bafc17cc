"""The fast codec gives the same results and errors as marshmallow."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from services.contracts.events.all_events import EVENTS
from services.contracts.examples import wire_example
from services.contracts.external import bank
from services.kit.events.contract import EventContract
from services.kit.events.fast_codec import fast_dump, fast_load
from tests.bench.people import card_number

_ODD_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=3),
    st.lists(st.none() | st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
    st.just("2026-11-25T12:00:00+08:00"),
    st.uuids().map(str),
)
_RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "application_id": st.uuids().map(str) | _ODD_VALUES,
        "member_no": st.text(max_size=21) | _ODD_VALUES,
        "outcome": st.sampled_from(bank.OUTCOMES) | _ODD_VALUES,
        "card_no": st.integers(0, 10**6).map(card_number) | _ODD_VALUES,
        "reason_code": st.text(max_size=51) | _ODD_VALUES,
        "more": _ODD_VALUES,
    },
)
_FEEDBACKS = st.fixed_dictionaries(
    {},
    optional={
        "feedback_id": st.text(max_size=65) | _ODD_VALUES,
        "batch_no": st.text(max_size=65) | _ODD_VALUES,
        "processed_at": st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | _ODD_VALUES,
        "results": st.lists(_RESULTS | _ODD_VALUES, max_size=3) | _ODD_VALUES,
    },
)


@pytest.mark.parametrize("schema", [bank.BankFeedback(), bank.FeedbackEnvelope()], ids=["whole", "envelope"])
@given(document=_FEEDBACKS | _ODD_VALUES)
def test_any_document_loads_to_what_marshmallow_makes_of_it_or_fails_as_there(schema: Schema, document: Any) -> None:
    assert _outcome(fast_load(schema), document) == _outcome(schema.load, document)


@pytest.mark.parametrize("contract", EVENTS.values(), ids=lambda contract: contract.type)
def test_each_event_is_loaded_and_dumped_as_marshmallow_does(contract: EventContract) -> None:
    schema = contract.schema()
    loaded = schema.load(wire_example(contract))
    assert contract.read(wire_example(contract)) == loaded
    dumped, expected = fast_dump(schema)(loaded), schema.dump(loaded)
    assert dumped.keys() == expected.keys()
    assert schema.load(dumped) == schema.load(expected) == loaded


class _Inner(Schema):
    class Meta:
        unknown = EXCLUDE

    name = fields.String(validate=validate.Length(1, 3))
    amount = fields.Integer(as_string=True)


class _Outer(Schema):
    class Meta:
        unknown = EXCLUDE

    id = fields.UUID(data_key="key")
    day = fields.Date(format="%d.%m.%Y")
    inner = fields.Nested(_Inner, attribute="inmost")
    items = fields.List(fields.Nested(_Inner))
    many = fields.Nested(_Inner, many=True)
    count = fields.Integer(load_default=lambda: 7, dump_default=8)


class _Hooked(_Inner):
    @post_load
    def shout(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        return {**data, "name": data["name"].upper()}


_LOADED = {
    "id": UUID(int=1),
    "day": date(2026, 11, 25),
    "inmost": {"name": "ab", "amount": 3},
    "items": [{"name": "a"}, {"amount": 5}],
    "many": [{"name": "b"}],
    "count": 2,
}


@pytest.mark.parametrize(
    "changed", [{}, {"count": "3"}, {"items": ({"name": 1},)}, {"items": [None]}, {"inmost": None}, {"id": "no"}]
)
def test_unusual_fields_and_values_are_dumped_as_marshmallow_does(changed: dict[str, Any]) -> None:
    assert fast_dump(_Outer())({**_LOADED, **changed}) == _Outer().dump({**_LOADED, **changed})
    some = {name: value for name, value in {**_LOADED, **changed}.items() if name != "count"}
    assert fast_dump(_Outer())(some) == _Outer().dump(some)


def test_keys_defaults_formats_and_hooks_are_those_of_the_schema() -> None:
    document = _Outer().dump(_LOADED)
    assert fast_load(_Outer())(document) == _LOADED
    del document["count"]
    assert fast_load(_Outer())(document) == {**_LOADED, "count": 7}
    assert fast_load(_Hooked())({"name": "ab"}) == {"name": "AB"}


def test_values_that_are_no_rows_of_a_dict_are_dumped_too() -> None:
    class Row:
        name = "ab"

    assert fast_dump(_Inner())(Row()) == {"name": "ab"}


def _outcome(load: Any, document: Any) -> Any:
    try:
        return load(document)
    except ValidationError as error:
        return error.normalized_messages()
