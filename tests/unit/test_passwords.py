"""Which passwords may be chosen, and that verification takes the same time without an account."""

from typing import Literal

import argon2
import pytest

from services.contracts.operations.membership.identity import ChangePasswordRequest
from services.kit.problems import Invalid
from services.membership.identity import guessable, passwords
from services.membership.models import Account
from tests.documents import errors_in

AN_ACCOUNT = Account(account_name="jianlang", display_name="王芳", phone="13812345678")


@pytest.mark.parametrize("password", ["password", "PASSWORD", "ｐａｓｓｗｏｒｄ", "12345678", "1qaz2wsx", "woaini1314"])
def test_a_common_password_is_refused_however_it_is_written(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        passwords.check_choice(password, AN_ACCOUNT)
    assert [(one.field, one.code) for one in refusal.value.fields] == [("new_password", "password_weak")]


@pytest.mark.parametrize("password", ["jianlang", "JianLang2026", "my-jianlang"])
def test_a_password_that_holds_the_accounts_name_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, AN_ACCOUNT)


@pytest.mark.parametrize(
    "password",
    [
        *("gonghui2026", "2026-ShangHai!", "会员服务卡12345", "Administrator1", "my-union-2026", "blue card 77"),
        *("G0nghu1-2026", "工会的小猫咪最可爱", "g-o-n-g-h-u-i-88", "iuhgnog-2026", "xx-zzgl-2026-xx", "my5hzgh!!"),
    ],
)
def test_a_password_that_holds_a_word_of_this_system_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, AN_ACCOUNT)


@pytest.mark.parametrize(
    "password",
    [
        *("Demo-2026-card", "DEMO-2026-CARD", "demo-2026-card!!", "D3m0-2026-c4rd", "Demo2026card", "2026-Demo-card"),
        *("drac-6202-omeD", "DemoCard2027", "card-demo-1", "ｄｅｍｏ-2026-ｃａｒｄ", "demo_2026_c@rd1"),
    ],
)
def test_the_demos_password_is_refused_however_it_is_written(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, AN_ACCOUNT)


@pytest.mark.parametrize(
    "password", ["gnalnaij-77", "j1anlang!!", "13812345678", "tel12345678x", "87654321-831", "王芳love2026"]
)
def test_a_password_that_holds_what_is_known_of_the_holder_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, AN_ACCOUNT)


@pytest.mark.parametrize("password", ["建朗加油2026", "we-信息科技-22"])
def test_a_password_that_holds_the_unions_name_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check_choice(password, AN_ACCOUNT, "上海建朗信息科技有限公司工会")


def test_the_host_of_a_deployment_is_a_word_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessable, "read_settings", lambda kind: kind(public_url="https://kaquan.example.org"))
    with pytest.raises(Invalid, match="invalid"):
        passwords.check_choice("kaquan-2026-x", AN_ACCOUNT)


@pytest.mark.parametrize(
    "password", ["onlyletterswilldo", "73920164", "春眠不觉晓处处闻啼鸟", "four words with spaces", "🙂" * 8]
)
def test_any_characters_make_a_password(password: str) -> None:
    passwords.check_choice(password, AN_ACCOUNT)

    assert passwords.is_right(password, passwords.hash_password(password))


@pytest.mark.parametrize(("length", "is_taken"), [(7, False), (8, True), (64, True), (65, False)])
def test_a_password_has_8_to_64_characters(length: int, is_taken: bool) -> None:
    errors = errors_in(ChangePasswordRequest, {"current_password": "x", "new_password": "密" * length})

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
