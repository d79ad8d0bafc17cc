"""What others write as JSON is read as it is meant, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.strict_json import read_json

_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
)


@given(_DOCUMENTS, st.booleans())
def test_what_a_writer_of_json_wrote_is_read_as_it_was(document: object, only_ascii: bool) -> None:
    assert read_json(json.dumps(document, ensure_ascii=only_ascii).encode()) == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": [{"b": 1, "b": 1}]}',
        rb'"\ud800"',
        rb'{"\udfff": 1}',
        b'"\xed\xa0\x80"',
        rb'["\u0000"]',
        "王".encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_can_be_read_in_two_ways_or_kept_in_no_database_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        read_json(body)
    assert len(str(refusal.value)) < 200


def test_an_escaped_backslash_before_the_letters_of_an_escape_is_none() -> None:
    assert read_json(rb'"\\u0000 \\ud800"') == r"\u0000 \ud800"
