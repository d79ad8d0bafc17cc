"""An example of a bank's program in pika: it reads batches and recalls, decides, sends feedback, and reads receipts.

It is one file that needs only Python, pika and joserfc, and none of our code: copy it, and replace `decide` and the
SQLite file by the bank's own systems. docs/events/bank.md describes the messages.

    AMQP_URI=amqps://bank:...@host:5671/cards BANK_HMAC_KEY=... python example_bank.py --books bank.sqlite

A broker of several nodes has an address for each, separated by semicolons; any of them will do.
BANK_PRIVATE_KEYS are the private keys of the bank and UNION_PUBLIC_KEYS ours, each a JWK Set. Feedback is encrypted for
the first of ours; messages are decrypted by any of the bank's. While the signing key changes, BANK_HMAC_SECOND_KEY is
the other one: messages signed by either are accepted. Without the JWK Sets all is in clear text.
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import os
import random
import signal
import sqlite3
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pika
from joserfc import jwe
from joserfc.jwk import KeySet
from pika.exceptions import AMQPError

RESULTS_A_MESSAGE = 200
PREFETCH = 20
SEND_AGAIN_SECONDS = 600
"""A feedback without a receipt is sent again, unchanged, after this time."""
LONGEST_BACKOFF = 30.0
SHANGHAI = timezone(timedelta(hours=8))

_TABLES = """
create table if not exists applicant (
    application_id text primary key, batch_no text not null, facts text not null, is_decided integer not null default 0
);
create table if not exists recall (application_id text primary key);
create table if not exists feedback (
    feedback_id text primary key, body blob not null, sent_at real, receipt text
);
"""
log = logging.getLogger("example_bank")


class Algorithms(jwe.JWERegistry):
    """What is accepted: these algorithms, and texts of up to 16 MiB, more than the library's default."""

    max_ciphertext_length = 16 << 20


ALGORITHMS = Algorithms(algorithms=["ECDH-ES+A256KW", "RSA-OAEP-256", "A256GCM"], strict_check_header=False)

Result = dict[str, Any]


class CannotDecrypt(Exception):
    """A message that our partner signed is encrypted for a key that is missing here."""


def decide(applicant: dict[str, Any]) -> Result:
    """Returns the decision on an applicant: here everybody gets a card with a synthetic number."""
    digits = "623162" + str(int(hashlib.sha256(applicant["application_id"].encode()).hexdigest(), 16))[:12]
    return {"application_id": applicant["application_id"], "outcome": "issued", "card_no": with_check_digit(digits)}


def with_check_digit(digits: str) -> str:
    """Returns a card number: the digits and the one that makes the Luhn sum a multiple of ten."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


class Database:
    """The bank's data in a file: each message is stored before it is acknowledged."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(_TABLES)

    def store_batch(self, message: dict[str, Any]) -> None:
        """Stores the applicants of a part of a batch; known ones stay unchanged."""
        rows = [(one["application_id"], message["batch_no"], json.dumps(one)) for one in message["applicants"]]
        with self._transaction():
            self._database.executemany(
                "insert or ignore into applicant (application_id, batch_no, facts) values (?, ?, ?)", rows
            )

    def store_recall(self, message: dict[str, Any]) -> None:
        """Stores whose cards are not to be made, even before their batch arrives."""
        rows = [(one["application_id"],) for one in message["applicants"]]
        with self._transaction():
            self._database.executemany("insert or ignore into recall values (?)", rows)

    def decide_on_open(self) -> None:
        """Decides on every open applicant, and stores the feedback in the same transaction."""
        open_ones = self._database.execute(
            "select batch_no, facts from applicant where not is_decided"
            " and application_id not in (select application_id from recall) order by batch_no"
        ).fetchall()
        by_batch: dict[str, list[dict[str, Any]]] = {}
        for batch_no, facts in open_ones:
            by_batch.setdefault(batch_no, []).append(json.loads(facts))
        for batch_no, applicants in by_batch.items():
            for start in range(0, len(applicants), RESULTS_A_MESSAGE):
                self._write_feedback(batch_no, [decide(one) for one in applicants[start : start + RESULTS_A_MESSAGE]])

    def unsent_feedback(self) -> list[tuple[str, bytes]]:
        """Returns the feedback to send: for the first time, or again because no receipt came."""
        return self._database.execute(
            "select feedback_id, body from feedback where receipt is null and coalesce(sent_at, 0) < ?",
            [time.time() - SEND_AGAIN_SECONDS],
        ).fetchall()

    def mark_sent(self, feedback_id: str) -> None:
        """Records that the broker has a feedback."""
        self._database.execute("update feedback set sent_at = ? where feedback_id = ?", [time.time(), feedback_id])

    def store_receipts(self, message: dict[str, Any]) -> None:
        """Stores the outcome of feedback; people must look at rejections."""
        with self._transaction():
            for receipt in message["receipts"]:
                self._database.execute(
                    "update feedback set receipt = ? where feedback_id = ?",
                    [json.dumps(receipt), receipt["feedback_id"]],
                )
        for receipt in message["receipts"]:
            counts = ", ".join(f"{receipt[name]} {name}" for name in ("applied", "repeated", "rejected"))
            log.info("receipt for %s: %s", receipt["feedback_id"], counts)
            for rejection in receipt["rejections"]:
                log.error("rejected of %s: %s", receipt["feedback_id"], json.dumps(rejection))

    def _write_feedback(self, batch_no: str, results: Sequence[Result]) -> None:
        feedback_id = str(uuid.uuid4())
        document = {
            "feedback_id": feedback_id,
            "batch_no": batch_no,
            "processed_at": datetime.now(SHANGHAI).isoformat(timespec="seconds"),
            "results": results,
        }
        with self._transaction():
            self._database.execute(
                "insert into feedback (feedback_id, body) values (?, ?)", [feedback_id, json.dumps(document).encode()]
            )
            self._database.executemany(
                "update applicant set is_decided = 1 where application_id = ?",
                [(result["application_id"],) for result in results],
            )

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        self._database.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")


class Keys:
    """Signs and verifies, encrypts and decrypts; signatures are over the bytes that are sent."""

    def __init__(self, signing: Sequence[bytes], own: str, unions: str) -> None:
        self._signing = signing
        self._own = KeySet.import_key_set(json.loads(own)) if own else None
        self._union = KeySet.import_key_set(json.loads(unions)).keys[0] if unions else None

    def encrypted(self, body: bytes, message: str) -> tuple[bytes, dict[str, str]]:
        """Encrypts a body, if there is a key for that, and returns it with the header of its signature."""
        if self._union is not None:
            algorithm = "RSA-OAEP-256" if self._union.key_type == "RSA" else "ECDH-ES+A256KW"
            header = {"alg": algorithm, "enc": "A256GCM", "kid": self._union.kid, "typ": message, "cty": "json"}
            body = jwe.encrypt_compact(header, body, self._union, registry=ALGORITHMS).encode()
        return body, {"x-signature": sign(body, self._signing[0])}

    def decrypted(self, body: bytes, message: str, signature: Any) -> dict[str, Any]:
        """Verifies, decrypts and parses a message.

        Raises ValueError for one that our partner did not sign or that is invalid, CannotDecrypt if a key is missing.
        """
        claimed = signature.lower() if isinstance(signature, str) else ""
        if not any(hmac.compare_digest(sign(body, key).encode(), claimed.encode()) for key in self._signing):
            raise ValueError("it was not signed by our partner")
        if not body.startswith(b"{"):  # a JWE; a clear one was sent before encryption was set up
            body = self._decrypted(body, message)
        document: dict[str, Any] = json.loads(body, object_pairs_hook=reject_duplicate_names)
        return document

    def _decrypted(self, body: bytes, message: str) -> bytes:
        try:
            head = body.partition(b".")[0]
            header = base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
            typ, kid = map(json.loads(header, object_pairs_hook=reject_duplicate_names).get, ("typ", "kid"))
        except Exception as error:
            raise ValueError(f"it was changed, or is no JWE: {type(error).__name__}") from error
        if typ != message:
            raise ValueError("it was encrypted as another message")
        if self._own is None or kid not in [key.kid for key in self._own.keys]:
            raise CannotDecrypt(f"it was encrypted for the key {kid}")
        try:
            return jwe.decrypt_compact(body, self._own, registry=ALGORITHMS).plaintext or b""
        except Exception as error:  # the library raises many kinds
            raise CannotDecrypt(f"it cannot be decrypted by the key {kid}: {type(error).__name__}") from error


def _parameters(url: str) -> Any:
    """Returns how to connect to one node of the broker."""
    parameters = pika.URLParameters(url)
    if url.startswith("amqps:"):  # the certificate authority is the system's, or that in SSL_CERT_FILE
        parameters.ssl_options = pika.SSLOptions(ssl.create_default_context(), parameters.host)
    parameters.heartbeat = 30
    parameters.blocked_connection_timeout = 60
    parameters.socket_timeout = parameters.stack_timeout = 5
    return parameters


class Bank:
    """The connection to the broker: reads messages, sends feedback."""

    def __init__(self, uri: str, keys: Keys, database: Database) -> None:
        self._nodes = [_parameters(one) for one in uri.split(";")]
        self._keys = keys
        self._database = database
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "batch.submitted": database.store_batch,
            "batch.recalled": database.store_recall,
            "feedback.receipt": database.store_receipts,
        }
        self.is_over = False

    def work(self) -> None:
        """Works until `is_over`; reconnects with a growing backoff when the broker was away."""
        backoff = 1.0
        while not self.is_over:
            try:
                random.shuffle(self._nodes)
                connection = pika.BlockingConnection(self._nodes)
                backoff = 1.0
                self._work_on(connection)
                connection.close()
            except (AMQPError, OSError) as error:
                log.warning("the broker is away: %s", type(error).__name__)
                time.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)

    def _work_on(self, connection: Any) -> None:
        reading = connection.channel()
        reading.basic_qos(prefetch_count=PREFETCH)
        for queue in ("bank.batches", "bank.receipts"):
            reading.basic_consume(queue, self._receive)
        sending = connection.channel()
        sending.confirm_delivery()
        log.info("connected")
        while not self.is_over:
            connection.process_data_events(time_limit=1)
            self._database.decide_on_open()
            for feedback_id, body in self._database.unsent_feedback():
                self._send(sending, body)
                self._database.mark_sent(feedback_id)

    def _receive(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        """Stores a message, then acknowledges it; rejects one that our partner did not sign, without requeueing.

        A signed message that cannot be decrypted must not be lost, since only the key is missing. It stays
        unacknowledged; after PREFETCH such messages nothing more is delivered. When the connection ends it is back in
        the queue, and is delivered to a program that has the key.
        """
        try:
            document = self._keys.decrypted(body, method.routing_key, (properties.headers or {}).get("x-signature"))
            handler = self._handlers[method.routing_key]
        except CannotDecrypt as error:
            log.critical("CALL A PERSON: a message for %s cannot be decrypted and waits: %s", method.routing_key, error)
            return
        except (ValueError, KeyError) as error:
            log.error("a message for %s is not taken: %s", method.routing_key, error)
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        handler(document)
        channel.basic_ack(method.delivery_tag)

    def _send(self, channel: Any, body: bytes) -> None:
        """Returns when the broker has the feedback; raises AMQPError otherwise, and it is sent again later."""
        body, headers = self._keys.encrypted(body, "bank.feedback")
        kind = "application/json" if body.startswith(b"{") else "application/jose"
        properties = pika.BasicProperties(content_type=kind, delivery_mode=2, headers=headers)
        channel.basic_publish("bank.feedback", "bank.feedback", body, properties, mandatory=True)


def sign(body: bytes, key: bytes) -> str:
    """Returns the signature of a body: HMAC-SHA256 of its bytes, in hexadecimal."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def reject_duplicate_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object; raises ValueError for a duplicate name, which two programs would read differently."""
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return named


def main() -> None:
    """Runs until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", default="bank.sqlite", help="the file of the bank's data")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("pika").setLevel(logging.ERROR)
    signing = [os.environ.get(name, "").encode() for name in ("BANK_HMAC_KEY", "BANK_HMAC_SECOND_KEY")]
    key_sets = [os.environ.get(name, "") for name in ("BANK_PRIVATE_KEYS", "UNION_PUBLIC_KEYS")]
    amqp_uri = os.environ.get("AMQP_URI")
    if not amqp_uri or not any(signing):
        parser.error("AMQP_URI and BANK_HMAC_KEY must be set")
    bank = Bank(amqp_uri, Keys([key for key in signing if key], *key_sets), Database(options.books))

    def stop(*_: object) -> None:
        bank.is_over = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    bank.work()


if __name__ == "__main__":
    main()
