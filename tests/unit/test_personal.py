"""Personal data is encrypted, found by blind indexes without decryption, and masked for display."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.masks import mask_card, mask_document, mask_numbers, mask_phone
from services.kit.data import encryption as personal
from services.kit.data.encryption import CannotDecrypt, FileKeyring, Keyring, blind_index
from services.kit.secret_values import DEMO_MARK
from services.kit.settings import SettingsError

OLD = Keyring({"k1": b"1" * 32})
NEW = Keyring({"k2": b"2" * 32, "k1": b"1" * 32})


@given(st.text())
def test_an_encrypted_text_can_be_decrypted(text: str) -> None:
    assert NEW.decrypt_token(NEW.encrypt_token(text)).decode() == text
    assert NEW.decrypt(NEW.encrypt(text)).decode() == text


def test_the_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    assert NEW.encrypt_token("x").startswith("v1.k2.")
    assert NEW.decrypt_token(OLD.encrypt_token("x")) == b"x"
    assert NEW.decrypt(OLD.encrypt("x")) == b"x"


def test_equal_texts_are_encrypted_differently() -> None:
    assert NEW.encrypt_token("x") != NEW.encrypt_token("x")
    assert NEW.encrypt("x") != NEW.encrypt("x")


def test_an_unknown_key_decrypts_nothing() -> None:
    with pytest.raises(CannotDecrypt, match="k2"):
        OLD.decrypt_token(NEW.encrypt_token("x"))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_value_cannot_be_decrypted(position: int, change: int) -> None:
    stored = bytearray(NEW.encrypt("x"))
    stored[position % len(stored)] ^= change
    with pytest.raises((CannotDecrypt, UnicodeDecodeError)):
        NEW.decrypt(bytes(stored))


@pytest.mark.parametrize("token", ["", "v1", "v1.k2", "v1.k2.###", "v2.k2.AAAA", "v1.k2.AAAA", "a.b.c.d"])
def test_a_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(CannotDecrypt):
        NEW.decrypt_token(token)


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:", "k1:AAAA", "k1:not base64!", "k 1:" + base64.b64encode(b"1" * 32).decode()]
)
def test_invalid_keys_are_refused(text: str) -> None:
    with pytest.raises((SettingsError, ValueError)):
        Keyring.from_text(text)


def test_a_blind_index_is_equal_for_equal_values_of_one_purpose_only() -> None:
    assert blind_index("张三", "name") == blind_index("张三", "name")
    assert blind_index("张三", "name") != blind_index("张三", "document")
    assert len(blind_index("张三", "name")) == 16


@pytest.mark.parametrize(
    ("mask", "number", "shown"),
    [
        (mask_document, "310101199001011234", "31010***********34"),
        (mask_card, "6222021234567890128", "622202*********0128"),
        (mask_phone, "13812345678", "138****5678"),
        (mask_document, "E12345678", "E1******8"),
        (mask_document, "12345678", "1******8"),
        (mask_document, "KAZ110090123105", "KAZ**********05"),
        (mask_document, "军字第1234567号", "军字********号"),
        (mask_document, "E12", "E**"),
        (mask_document, "E1", "**"),
        (
            mask_numbers,
            "证件E12345678、310101199001011234，卡6222021234567890",
            "证件E1******8、31010***********34，卡622202******7890",
        ),
        (mask_numbers, "卡6222 0212 3456 7890，62220212345678901", "卡6222 0*********7890，622202*******8901"),
        (mask_numbers, "电话+86 138 1234-5678、8613812345678", "电话+86**********5678、861******5678"),
        (
            mask_numbers,
            "证件310101 19900101 123x，2026-11-24 10:00:00",
            "证件3101**************3x，2026-11-24 10:00:00",
        ),
        (mask_phone, "12", "**"),
        (mask_phone, "", ""),
    ],
)
def test_numbers_are_masked_in_the_middle(mask: object, number: str, shown: str) -> None:
    assert mask(number) == shown  # type: ignore[operator]


@given(st.text("0123456789ABCX", max_size=30))
def test_of_a_document_that_has_not_18_characters_at_most_a_third_is_shown(number: str) -> None:
    shown = len(number) - mask_document(number).count("*")
    assert shown <= 7 if len(number) == 18 else shown <= len(number) / 3


FIRST, SECOND = (f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


def replace(file: Path, *keys: str) -> None:
    new = file.with_suffix(".new")
    new.write_text("\n".join(keys))
    os.replace(new, file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    replace(file, FIRST)
    return file


def test_a_key_added_to_the_file_is_known_as_soon_as_something_needs_it(file: Path) -> None:
    ring = FileKeyring(file)
    replace(file, FIRST, SECOND)
    encrypted_elsewhere = Keyring.from_text(f"{SECOND},{FIRST}").encrypt_token("x")
    assert ring.decrypt_token(encrypted_elsewhere) == b"x"
    assert ring.encrypt_token("x").startswith("v1.k1.")


def test_a_key_that_comes_first_in_the_file_encrypts_within_a_second(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = FileKeyring(file)
    before = ring.encrypt("x")
    replace(file, SECOND, FIRST)
    assert ring.encrypt("x").startswith(personal.encrypted_prefix("k1"))
    monkeypatch.setattr(personal, "CHECK_INTERVAL_SECONDS", 0)
    assert ring.encrypt("x").startswith(personal.encrypted_prefix("k2"))
    assert ring.encrypt_token("x").startswith("v1.k2.")
    assert ring.decrypt(before) == b"x"


def test_key_ids_are_those_in_the_file_now(file: Path) -> None:
    ring = FileKeyring(file)
    replace(file, SECOND, FIRST)
    assert ring.key_ids() == ["k2", "k1"]


@pytest.mark.parametrize("content", ["", "nonsense", "k1:AAAA"])
def test_a_file_that_holds_no_keys_leaves_those_in_use_that_were_known(file: Path, content: str) -> None:
    ring = FileKeyring(file)
    encrypted = ring.encrypt_token("x")
    replace(file, content)
    assert ring.key_ids() == ["k1"]
    file.unlink()
    assert ring.key_ids() == ["k1"]
    assert ring.decrypt_token(encrypted) == b"x"


def test_a_key_that_left_the_file_decrypts_nothing_more(file: Path) -> None:
    replace(file, SECOND, FIRST)
    ring = FileKeyring(file)
    encrypted = Keyring.from_text(FIRST).encrypt_token("x")
    replace(file, SECOND)
    ring.key_ids()
    with pytest.raises(CannotDecrypt, match="k1"):
        ring.decrypt_token(encrypted)


def test_in_production_a_good_key_is_taken_from_the_file_and_one_of_the_demo_is_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    ring = FileKeyring(file)
    file.write_text(f"{SECOND}\n{FIRST}\n")
    assert ring.key_ids() == ["k2", "k1"]
    file.write_text(f"k3:{DEMO_MARK}{base64.b64encode(b'3' * 26).decode()}\n{SECOND}\n")
    assert ring.key_ids() == ["k2", "k1"]
