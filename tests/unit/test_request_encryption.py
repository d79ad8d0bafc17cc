"""The encryption of requests and answers between gateway and services, and the keys for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from amqp.basic_message import Message

from services.kit.data.encryption import CannotDecrypt, Keyring
from services.kit.rpc.client import _PendingCall
from services.kit.rpc.key_lists import write_keys
from services.kit.rpc.request_encryption import (
    RequestDecrypter,
    RequestEncrypter,
    public_keys,
    request_decrypter,
    request_encrypter,
)
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings, SettingsError, read_settings

K1 = "k1:YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgb25lISE="
K2 = "k2:YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgdHdvISE="
OF_MEMBERSHIP, OF_BATCHING = public_keys("membership", K1), public_keys("batching", K2)
BODY = b'{"args":[{"data":{"document_number":"310101199001011234"}}],"kwargs":{}}'


def encrypted(routing_key: str = "membership.get_me", keys: str = f"{OF_MEMBERSHIP},{OF_BATCHING}") -> bytes:
    return RequestEncrypter(keys).encrypt(routing_key, "c1", BODY)[0]


def received(body: bytes, routing_key: str = "membership.get_me", call_id: str = "c1") -> Message:
    message = Message(body, correlation_id=call_id)
    message.delivery_info = {"routing_key": routing_key, "redelivered": False}
    return message


def decrypted(message: Message, keys: str = K1) -> bytes:
    return RequestDecrypter(keys).decrypt(message, accepts_clear=False)[0]


def test_only_the_service_that_is_called_reads_a_request() -> None:
    body = encrypted()

    assert b"310101199001011234" not in body
    assert decrypted(received(body)) == BODY
    with pytest.raises(CannotDecrypt, match="does not have"):
        decrypted(received(body), K2)


def test_a_key_of_another_service_under_the_same_id_reads_nothing() -> None:
    with pytest.raises(CannotDecrypt, match="another key"):
        decrypted(received(encrypted()), K2.replace("k2", "k1"))


def test_equal_requests_look_different() -> None:
    assert encrypted() != encrypted()


@pytest.mark.parametrize("place", [0, 1, 2, 4, 40, -1])
def test_a_changed_request_is_refused(place: int) -> None:
    body = bytearray(encrypted())
    body[place] ^= 1
    with pytest.raises(CannotDecrypt):
        decrypted(received(bytes(body)))


@pytest.mark.parametrize(
    "body", [b"\x01", b"\x01\x02k1", b"\x01\xffk1", b"\x01\x02\xff\xffx", b"\x01\x02k1" + bytes(80)]
)
def test_rubbish_is_refused(body: bytes) -> None:
    with pytest.raises(CannotDecrypt):
        decrypted(received(body))


@pytest.mark.parametrize(
    ("routing_key", "call_id"),
    [("membership.update_account", "c1"), ("membership.get_me", "c2"), ("membership.get_me", "\ud800")],
)
def test_a_request_is_good_for_its_own_operation_and_call(routing_key: str, call_id: str) -> None:
    with pytest.raises(CannotDecrypt, match="operation or call"):
        decrypted(received(encrypted(), routing_key, call_id))


def test_a_key_is_changed_while_requests_of_both_are_read() -> None:
    both = f"{K2},{K1}"
    assert decrypted(received(encrypted(keys=OF_MEMBERSHIP)), both) == BODY
    assert decrypted(received(encrypted(keys=public_keys("membership", both))), both) == BODY
    with pytest.raises(CannotDecrypt):
        decrypted(received(encrypted(keys=public_keys("membership", both))), K1)


@pytest.mark.parametrize("minutes", [1, -1, None])
def test_a_clear_request_is_taken_from_the_former_gateway_until_the_upgrade_ends(minutes: int | None) -> None:
    until = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat() if minutes else ""
    accepts_clear = MessagingSettings(Secret("amqp://localhost"), clear_requests_until=until).accepts_clear_requests

    if minutes == 1:
        assert RequestDecrypter(K1).decrypt(received(BODY), accepts_clear=accepts_clear) == (BODY, None)
    else:
        with pytest.raises(CannotDecrypt, match="not encrypted"):
            RequestDecrypter(K1).decrypt(received(BODY), accepts_clear=accepts_clear)


def test_without_keys_which_production_refuses_requests_are_clear() -> None:
    assert RequestEncrypter("").encrypt("membership.get_me", "c1", BODY) == (BODY, None)
    assert RequestDecrypter("").decrypt(received(BODY), accepts_clear=False) == (BODY, None)


def test_an_answer_is_read_by_the_call_that_asked_and_by_no_other() -> None:
    answer = b'{"result":{"result":{"card_no":"6222000011112222"}},"error":null}'
    body, own = RequestEncrypter(OF_MEMBERSHIP).encrypt("membership.get_me", "c1", BODY)
    of_service = RequestDecrypter(K1).decrypt(received(body), accepts_clear=False)[1]
    _, of_another_call = RequestEncrypter(OF_MEMBERSHIP).encrypt("membership.get_me", "c1", BODY)
    assert of_service is not None

    reply = of_service.encrypt(answer)

    assert b"6222000011112222" not in reply
    assert _PendingCall("membership", own).read(reply) == {"result": {"card_no": "6222000011112222"}}
    for keys in (of_another_call, Keyring({"answer": os.urandom(32)})):
        with pytest.raises(CannotDecrypt):
            _PendingCall("membership", keys).read(reply)
    with pytest.raises(CannotDecrypt):
        _PendingCall("membership", own).read(reply[:-1] + bytes([reply[-1] ^ 1]))


def test_an_encrypted_request_gets_nothing_but_a_problem_in_clear() -> None:
    waiting = _PendingCall("membership", RequestEncrypter(OF_MEMBERSHIP).encrypt("membership.get_me", "c1", BODY)[1])
    problem = {"problem": {"code": "request_refused"}}
    assert waiting.read(json.dumps({"result": problem, "error": None}).encode()) == problem
    with pytest.raises(CannotDecrypt):
        waiting.read(b'{"result":{"result":{}},"error":null}')


@pytest.mark.parametrize(
    "keys", ["membership.k1", "membership.k1:short", "k1:AAAA", "k1" + OF_MEMBERSHIP[13:], "x.k-1:AAAA"]
)
def test_what_is_no_public_key_of_a_service_is_refused_by_the_settings_name(keys: str) -> None:
    with pytest.raises(SettingsError, match="REQUEST_PUBLIC_KEYS"):
        RequestEncrypter(keys)


def test_what_is_no_private_key_is_refused_by_the_settings_name() -> None:
    with pytest.raises(SettingsError, match="REQUEST_PRIVATE_KEYS"):
        RequestDecrypter(OF_MEMBERSHIP)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("ENVIRONMENT", "production")
    _read_settings_anew()
    yield monkeypatch
    _read_settings_anew()


def _read_settings_anew() -> None:
    for cached in (read_settings, request_encrypter, request_decrypter):
        cached.cache_clear()


def test_production_asks_for_a_key_of_each_service_that_is_called(production: pytest.MonkeyPatch) -> None:
    production.setenv("REQUEST_PUBLIC_KEYS", OF_MEMBERSHIP)
    request_encrypter().check("membership")
    with pytest.raises(SettingsError, match="REQUEST_PUBLIC_KEYS holds no key of batching"):
        request_encrypter().check("batching")


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("REQUEST_PUBLIC_KEYS", public_keys("membership", K1.replace("k1", "demo1")), request_encrypter),
        ("REQUEST_PRIVATE_KEYS", "", request_decrypter),
        ("REQUEST_PRIVATE_KEYS", write_keys({"k1": b"\x75\xe9\xa8\x75\xe9\xa8" + bytes(26)}), request_decrypter),
    ],
)
def test_production_takes_no_key_of_the_demo_and_needs_one(
    production: pytest.MonkeyPatch, variable: str, value: str, read: object
) -> None:
    production.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        read()  # type: ignore[operator]


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-29T00:00:00", "2999-01-01T00:00:00+00:00"])
def test_clear_requests_are_taken_for_a_month_at_most(text: str) -> None:
    with pytest.raises(SettingsError, match="CLEAR_REQUESTS_UNTIL"):
        MessagingSettings(Secret("amqp://localhost"), clear_requests_until=text)


def test_the_command_makes_a_key_and_tells_its_public_part() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "services.kit.rpc.request_keys", "membership", "k7"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = dict(line.split("=", 1) for line in printed.splitlines())
    assert made["REQUEST_PRIVATE_KEYS"].startswith("k7:")
    assert public_keys("membership", made["REQUEST_PRIVATE_KEYS"]) == made["REQUEST_PUBLIC_KEYS"]

    again = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **made}).stdout
    assert again == f"REQUEST_PUBLIC_KEYS={made['REQUEST_PUBLIC_KEYS']}\n"
