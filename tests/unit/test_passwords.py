"""Which passwords may be chosen, and that a wrong one costs the same where there is no account."""

from typing import Literal

import argon2
import pytest

from services.common.contracts.rpc.membership import ChangePasswordRequest
from services.common.problems import Invalid
from services.membership import passwords


@pytest.mark.parametrize("password", ["password", "PASSWORD", "ｐａｓｓｗｏｒｄ", "12345678", "1qaz2wsx", "woaini1314"])
def test_a_common_password_is_refused_however_it_is_written(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        passwords.check_choice(password, "jianlang")
    assert [(one.field, one.code) for one in refusal.value.fields] == [("new_password", "password_weak")]


@pytest.mark.parametrize("password", ["jianlang", "JianLang2026", "my-jianlang"])
def test_a_password_that_holds_the_accounts_name_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, "jianlang")


@pytest.mark.parametrize("password", ["gonghui2026", "2026-ShangHai!", "会员服务卡12345", "Administrator1"])
def test_a_word_of_this_system_with_figures_around_it_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, "jianlang")


@pytest.mark.parametrize(
    "password", ["onlyletterswilldo", "73920164", "工会会员服务卡办理系统", "four words with spaces", "🙂" * 8]
)
def test_any_characters_make_a_password(password: str) -> None:
    passwords.check_choice(password, "jianlang")

    assert passwords.is_right(password, passwords.hash_password(password))


@pytest.mark.parametrize(("length", "is_taken"), [(7, False), (8, True), (64, True), (65, False)])
def test_a_password_has_8_to_64_characters(length: int, is_taken: bool) -> None:
    errors = ChangePasswordRequest().validate({"current_password": "x", "new_password": "密" * length})

    assert ("new_password" not in errors) == is_taken


def test_a_password_counts_exactly_as_it_was_typed() -> None:
    kept = passwords.hash_password("Jian Lang 2026")

    assert not any(passwords.is_right(other, kept) for other in ("jian lang 2026", "Jian Lang 2026 ", "Jian Lang 202"))


def test_a_password_is_verified_in_the_same_way_where_there_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[argon2.Parameters] = []

    class Watched(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append(argon2.extract_parameters(str(hash)))
            return super().verify(hash, password)

    as_kept = argon2.extract_parameters(passwords.hash_password("whatever"))
    monkeypatch.setattr(passwords, "_HASHER", Watched.from_parameters(as_kept))
    assert not passwords.is_right("whatever", None)
    assert not passwords.is_right("whatever", passwords.hash_password("another"))
    assert len(verified) == 2
    assert verified[0] == verified[1]
