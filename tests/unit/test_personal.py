"""Personal data is sealed, found without being read, and masked where it is shown."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.personal import (
    CannotOpen,
    Keyring,
    blind_index,
    mask_card,
    mask_document_in_detail,
    mask_document_in_list,
    mask_phone,
)
from services.common.settings import SettingsError

OLD = Keyring({"k1": b"1" * 32})
NEW = Keyring({"k2": b"2" * 32, "k1": b"1" * 32})


@given(st.text())
def test_what_is_sealed_can_be_opened_again(text: str) -> None:
    assert NEW.open(NEW.seal(text)).decode() == text
    assert NEW.decrypt(NEW.encrypt(text)).decode() == text


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    assert NEW.seal("x").startswith("v1.k2.")
    assert NEW.open(OLD.seal("x")) == b"x"
    assert NEW.decrypt(OLD.encrypt("x")) == b"x"


def test_equal_texts_are_sealed_differently() -> None:
    assert NEW.seal("x") != NEW.seal("x")
    assert NEW.encrypt("x") != NEW.encrypt("x")


def test_a_key_that_is_not_there_opens_nothing() -> None:
    with pytest.raises(CannotOpen, match="k2"):
        OLD.open(NEW.seal("x"))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_value_cannot_be_opened(position: int, change: int) -> None:
    stored = bytearray(NEW.encrypt("x"))
    stored[position % len(stored)] ^= change
    with pytest.raises((CannotOpen, UnicodeDecodeError)):
        NEW.decrypt(bytes(stored))


@pytest.mark.parametrize("token", ["", "v1", "v1.k2", "v1.k2.###", "v2.k2.AAAA", "v1.k2.AAAA", "a.b.c.d"])
def test_what_is_no_sealed_value_is_refused(token: str) -> None:
    with pytest.raises(CannotOpen):
        NEW.open(token)


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:", "k1:AAAA", "k1:not base64!", "k 1:" + base64.b64encode(b"1" * 32).decode()]
)
def test_keys_that_are_none_are_refused(text: str) -> None:
    with pytest.raises((SettingsError, ValueError)):
        Keyring.from_text(text)


def test_a_blind_index_is_equal_for_equal_values_of_one_purpose_only() -> None:
    assert blind_index("张三", "name") == blind_index("张三", "name")
    assert blind_index("张三", "name") != blind_index("张三", "document")
    assert len(blind_index("张三", "name")) == 16


@pytest.mark.parametrize(
    ("mask", "number", "shown"),
    [
        (mask_document_in_list, "310101199001011234", "3****************4"),
        (mask_document_in_detail, "310101199001011234", "310101**********34"),
        (mask_card, "6222021234567890128", "622202*********0128"),
        (mask_phone, "13812345678", "138****5678"),
        (mask_document_in_list, "E12345678", "E*******8"),
        (mask_document_in_detail, "E12345678", "E*******8"),
        (mask_phone, "12", "**"),
        (mask_phone, "", ""),
    ],
)
def test_numbers_are_masked_in_the_middle(mask: object, number: str, shown: str) -> None:
    assert mask(number) == shown  # type: ignore[operator]
