"""The gateway's signatures of requests, and the keys that make and verify them."""

import subprocess
import sys
import time
from typing import Any

import pytest
from amqp.basic_message import Message

from services.kit.rpc.caller_signature import Signer, Verifier, public_keys, signer, verifier
from services.kit.rpc.request import Request
from services.kit.settings import SettingsError, read_settings

K1 = "k1:YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgb25lISE="
K2 = "k2:YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgdHdvISE="


def sent(signed_by: str | None, body: bytes = b"body", **changes: Any) -> Message:
    """A request as it comes."""
    address = {"routing_key": "membership.get_me", "call_id": "c1", "reply_to": "r1"}
    headers = Signer(signed_by).headers(**address, body=b"body") if signed_by else {}
    address |= changes
    come = Message(body, application_headers=headers, correlation_id=address["call_id"], reply_to=address["reply_to"])
    come.delivery_info = {"routing_key": address["routing_key"], "redelivered": False}
    return come


def request(seconds: float = 30) -> Request:
    return Request({}, {}, None, "w1", time.time() + seconds)


def refusal(come: Message, keys: str = K1, **options: Any) -> str | None:
    return Verifier(public_keys(keys)).refusal(come, request(), **{"accepts_former": False, **options})


def test_what_the_gateway_signed_is_taken_whichever_of_its_keys_it_was() -> None:
    assert refusal(sent(K1)) is None
    assert refusal(sent(K1), f"{K2},{K1}") is None
    assert refusal(sent(f"{K2},{K1}"), f"{K2},{K1}") is None


@pytest.mark.parametrize(
    "come",
    [
        sent(None),
        sent(K2),
        sent(K1, b"other body"),
        sent(K1, routing_key="membership.update_account"),
        sent(K1, call_id="c2"),
        sent(K1, reply_to="r2"),
    ],
)
def test_what_it_did_not_sign_is_refused(come: Message) -> None:
    assert refusal(come) == "not signed by the gateway"


@pytest.mark.parametrize("header", ["", "k1", "k1.", "k1.AAAA", "k9.AAAA", "k1.é", 7, ["k1.AAAA"]])
def test_rubbish_is_no_signature(header: object) -> None:
    come = sent(K1)
    come.properties["application_headers"] = {"x-signature": header}
    assert refusal(come)
    assert refusal(come, accepts_former=True)


def test_during_an_upgrade_only_what_bears_no_signature_is_taken_without() -> None:
    assert refusal(sent(None), accepts_former=True) is None
    assert refusal(sent(K2), accepts_former=True)


@pytest.mark.parametrize("seconds", [3600.0, float("nan"), float("inf")])
def test_nothing_is_signed_for_longer_than_somebody_waits(seconds: float) -> None:
    assert Verifier(public_keys(K1)).refusal(sent(K1), request(seconds), accepts_former=False)


def test_a_call_comes_once_unless_the_broker_repeats_it() -> None:
    checks, again = Verifier(public_keys(K1)), sent(K1)
    again.delivery_info["redelivered"] = True
    assert [checks.is_repeated(one, request()) for one in (sent(K1), sent(K1), again)] == [False, True, False]


def test_a_call_is_forgotten_when_its_time_is_over() -> None:
    checks = Verifier(public_keys(K1))
    for number in range(5):
        assert not checks.is_repeated(sent(K1, call_id=str(number)), request(seconds=-60))
    assert len(checks._seen) <= 1


@pytest.mark.parametrize("keys", ["k1", "k1:short", "k1:AAAA", ":YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgb25lISE="])
def test_what_is_no_key_is_refused_by_the_settings_name(keys: str) -> None:
    with pytest.raises(SettingsError, match="CALLER_SIGNING_KEYS"):
        Signer(keys)


@pytest.mark.parametrize("public", ["", public_keys(K1.replace("k1", "demo1"))])
def test_production_asks_for_keys_that_are_not_the_demos(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("CALLER_PUBLIC_KEYS", public)
    monkeypatch.delenv("CALLER_SIGNING_KEYS", raising=False)
    for cached in (read_settings, verifier, signer):
        cached.cache_clear()
    with pytest.raises(SettingsError, match="CALLER_PUBLIC_KEYS"):
        verifier()
    with pytest.raises(SettingsError, match="CALLER_SIGNING_KEYS"):
        signer()
    read_settings.cache_clear()


def test_the_command_makes_a_key_and_tells_its_public_part() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "services.kit.rpc.caller_keys", "k7"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = dict(line.split("=", 1) for line in printed.splitlines())
    assert made["CALLER_SIGNING_KEYS"].startswith("k7:")
    assert public_keys(made["CALLER_SIGNING_KEYS"]) == made["CALLER_PUBLIC_KEYS"]
