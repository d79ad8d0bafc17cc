"""A simulated bank: receives batches and recalls from the broker, sends feedback automatically or on HTTP requests.

`python -m deploy.simulators.bank` with AMQP_URI, BANK_HMAC_KEY (messages by BANK_HMAC_SECOND_KEY are accepted too),
BANK_PRIVATE_KEYS and UNION_PUBLIC_KEYS (JWK Sets; without them feedback is in clear text), BANK_PORT; BANK_MODE
`auto` (the default) decides on each applicant in steps BANK_DELAY_MS apart and refuses about one in
BANK_REFUSE_EVERY, and reports what happens to cards in steps BANK_CARD_DELAY_MS apart (0: nothing); `manual` waits for
orders.
BANK_LEDGER names a file that outlasts the process. It shares the message contracts with the product, nothing else.
"""

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.wrappers import Request, Response

from deploy.simulators.bank_keys import Keys, OutgoingMessage
from deploy.simulators.bank_ledger import (
    CARD_ERRORS,
    ERRORS,
    Ledger,
    Result,
    UnknownBatch,
    card_number,
    decide,
    refusing_every,
    with_error,
)
from deploy.simulators.bank_link import BatchReader, CannotSend, FeedbackSender
from deploy.simulators.http import json_response, number_of, port_of, read_json, serve, server
from services.contracts import bank as contract
from services.kit.settings import refuse_production, run_program, values_of

RESULTS_A_MESSAGE = 200
TICK_SECONDS = 0.2
NEXT_STEP = {None: "accepted", "accepted": "made"}
"""The steps before the decision."""


class Control(Schema):
    mode = fields.String(validate=validate.OneOf(("auto", "manual")))
    delay_ms = fields.Integer(validate=validate.Range(min=0))
    refuse_every = fields.Integer(validate=validate.Range(min=0))
    card_delay_ms = fields.Integer(validate=validate.Range(min=0))
    skew_seconds = fields.Integer(metadata={"description": "by how much the bank's clock is ahead"})


class MessageOrder(Schema):
    """How feedback is sent, and what is wrong with it."""

    parts = fields.Integer(load_default=1, validate=validate.Range(min=1))
    feedback_id = fields.String(load_default=None, allow_none=True)
    duplicate = fields.Boolean(load_default=False)
    reorder = fields.Boolean(load_default=False)
    unsigned = fields.Boolean(load_default=False)
    upper_case_signature = fields.Boolean(load_default=False)
    malformed = fields.Boolean(load_default=False)
    clear = fields.Boolean(load_default=False, metadata={"description": "not encrypted, though there is a key"})
    ahead_seconds = fields.Integer(
        load_default=0, metadata={"description": "by how much its times lie in the future, or in the past"}
    )
    delay_ms = fields.Integer(load_default=0, validate=validate.Range(min=0))


class FeedbackOrder(MessageOrder):
    """The feedback to send on a batch: these `results`, or `outcome` for the first `count` undecided applicants."""

    results = fields.List(fields.Dict(keys=fields.String()), load_default=None, validate=validate.Length(min=1))
    outcome = fields.String(load_default="issued", validate=validate.OneOf(contract.OUTCOMES))
    count = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1))
    faulty_line = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(ERRORS),
        metadata={"description": "each message gets one line more, with this wrong in it"},
    )


class CardOrder(MessageOrder):
    """The reports on cards to send; `happened_at` is now where it is absent."""

    cards = fields.List(fields.Dict(keys=fields.String()), required=True, validate=validate.Length(min=1))
    faulty_line = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(CARD_ERRORS),
        metadata={"description": "each message gets one line more, with this wrong in it"},
    )


class RawOrder(Schema):
    body = fields.String(required=True, metadata={"description": "base64"})
    headers = fields.Dict(keys=fields.String(), load_default=dict)


class Bank:
    """The bank: its HTTP interface for control, and its automatic mode."""

    def __init__(
        self, ledger: Ledger, reader: BatchReader, sender: FeedbackSender, keys: Keys, control: dict[str, Any]
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._sender = sender
        self._keys = keys
        self._control = control

    def routes(self) -> dict[str, Callable[..., Any]]:
        """Returns the table of routes."""
        return {
            "GET /batches": lambda _request: {"items": self._ledger.batches()},
            "GET /batches/<batch_no>": self.get_batch,
            "POST /batches/<batch_no>/feedback": self.send_feedback,
            "POST /cards/feedback": self.send_card_feedback,
            "POST /raw": self.send_raw,
            "GET /receipts": self.get_receipts,
            "GET /control": self.get_control,
            "PUT /control": self.put_control,
            "GET /readyz": self.is_ready,
        }

    def get_batch(self, _request: Request, batch_no: str) -> dict[str, Any]:
        """Returns one batch with its applicants."""
        try:
            return self._ledger.batch(batch_no)
        except UnknownBatch as unknown:
            raise NotFound from unknown

    def send_feedback(self, request: Request, batch_no: str) -> Response:
        """Sends the ordered feedback and answers when the broker has it, or at once if it is delayed.

        With explicit results the batch may be unknown to the bank.
        """
        order = read_json(request, FeedbackOrder())
        results = self._ordered_results(batch_no, order)
        messages = self._messages(results, order, ERRORS, {"batch_no": batch_no})
        noted = [] if order["malformed"] or order["unsigned"] else results  # invalid feedback can be sent again
        if order["delay_ms"]:
            threading.Timer(order["delay_ms"] / 1000, self._send, (batch_no, noted, messages)).start()
        else:
            self._send_or_refuse(batch_no, noted, messages)
        return json_response({"messages": len(messages), "results": len(results)}, 202)

    def send_card_feedback(self, request: Request) -> Response:
        """Sends the ordered reports on cards and answers when the broker has them, or at once if they are delayed."""
        order = read_json(request, CardOrder())
        happened_at = self._now(order["ahead_seconds"])
        reports = [{"happened_at": happened_at, **report} for report in order["cards"]]
        messages = self._messages(reports, order, CARD_ERRORS)
        if order["delay_ms"]:
            threading.Timer(order["delay_ms"] / 1000, self._send, ("", [], messages)).start()
        else:
            self._send_or_refuse("", [], messages)
        return json_response({"messages": len(messages), "cards": len(reports)}, 202)

    def send_raw(self, request: Request) -> Response:
        """Sends bytes and headers to the feedback queue as they are."""
        order = read_json(request, RawOrder())
        self._send_or_refuse("", [], [OutgoingMessage(base64.b64decode(order["body"]), order["headers"])])
        return json_response({"messages": 1}, 202)

    def get_receipts(self, request: Request) -> dict[str, Any]:
        """Returns the newest receipts, or those of the feedback in the query."""
        return {"items": self._ledger.receipts(request.args.get("feedback_id"))}

    def is_ready(self, _request: Request) -> Response:
        """Answers whether the bank reads its queues; 503 before."""
        is_ready = self._reader.is_reading.is_set()
        return json_response({"status": "ready" if is_ready else "starting"}, 200 if is_ready else 503)

    def get_control(self, _request: Request) -> dict[str, Any]:
        """Returns the mode, the numbers of sent and refused messages, and of failed attempts to send."""
        sender = self._sender
        return {**self._control, "sent": sender.sent, "failed": sender.failed, "refused": self._reader.refused}

    def put_control(self, request: Request) -> dict[str, Any]:
        """Changes settings: the mode, the interval between steps, the share of refusals, the clock's error."""
        self._control.update(read_json(request, Control()))
        return dict(self._control)

    def decide_forever(self) -> None:
        """In mode auto, advances each applicant who was not recalled by a step after each interval."""
        while True:
            time.sleep(TICK_SECONDS)
            if self._control["mode"] == "auto":
                self._take_steps()
                self._report_on_cards()

    def _take_steps(self) -> None:
        due_before = time.time() - self._control["delay_ms"] / 1000
        final = refusing_every(self._control["refuse_every"])
        for batch in self._ledger.batches():
            batch_no = batch["batch_no"]
            due = [a for a in self._ledger.open_applicants(batch_no) if a["since"] <= due_before]
            steps = [decide(a, NEXT_STEP.get(a["outcome"]) or final(a)) for a in due]
            for start in range(0, len(steps), RESULTS_A_MESSAGE):
                results = steps[start : start + RESULTS_A_MESSAGE]
                try:
                    self._send(batch_no, results, [self._sound({"batch_no": batch_no}, results)])
                except CannotSend:
                    return  # nothing was recorded as sent: the next tick retries

    def _report_on_cards(self) -> None:
        delay = self._control["card_delay_ms"] / 1000
        reports = list(self._ledger.next_reports(time.time() - delay).values()) if delay else []
        for start in range(0, len(reports), RESULTS_A_MESSAGE):
            part = reports[start : start + RESULTS_A_MESSAGE]
            now = self._now()
            try:
                self._sender.send([self._sound({}, [{**report, "happened_at": now} for report in part])])
            except CannotSend:
                return
            self._ledger.record_reports(report["application_id"] for report in part)

    def _send_or_refuse(self, batch_no: str, results: list[Result], messages: list[OutgoingMessage]) -> None:
        try:
            self._send(batch_no, results, messages)
        except CannotSend as error:
            raise ServiceUnavailable(str(error)) from error

    def _send(self, batch_no: str, results: list[Result], messages: list[OutgoingMessage]) -> None:
        self._sender.send(messages)
        self._ledger.record(batch_no, results)

    def _ordered_results(self, batch_no: str, order: dict[str, Any]) -> list[Result]:
        if order["results"] is not None:
            return [_completed(result) for result in order["results"]]
        try:
            applicants = self._ledger.open_applicants(batch_no)
        except UnknownBatch as unknown:
            raise NotFound from unknown
        return [decide(applicant, order["outcome"]) for applicant in applicants[: order["count"]]]

    def _messages(
        self,
        lines: list[Result],
        order: dict[str, Any],
        errors: dict[str, Result],
        head: dict[str, Any] | None = None,
    ) -> list[OutgoingMessage]:
        bodies = [
            self._feedback(
                head or {}, _with_faulty_line(part, order, errors), _part_id(order, number), order["ahead_seconds"]
            )
            for number, part in enumerate(_parts(lines, order["parts"]), start=1)
        ]
        if order["clear"] or order["malformed"]:
            bodies = [body[: len(body) // (2 if order["malformed"] else 1)] for body in bodies]
        else:
            bodies = [self._keys.encrypted(body) for body in bodies]
        if order["reorder"]:
            bodies.reverse()
        upper = order["upper_case_signature"]
        messages = [
            OutgoingMessage(body) if order["unsigned"] else self._keys.signed(body, upper_case=upper) for body in bodies
        ]
        return [message for message in messages for _ in range(2 if order["duplicate"] else 1)]

    def _sound(self, head: dict[str, Any], lines: list[Result]) -> OutgoingMessage:
        return self._keys.signed(self._keys.encrypted(self._feedback(head, lines)))

    def _feedback(
        self, head: dict[str, Any], lines: list[Result], feedback_id: str | None = None, ahead_seconds: int = 0
    ) -> bytes:
        """Returns the body of a feedback: on the batch in `head`, or else on cards. The id is a digest by default."""
        content = {**head, "processed_at": self._now(ahead_seconds), "results": lines} if head else {"cards": lines}
        document = {"feedback_id": feedback_id or _digest(content), **content}
        return json.dumps(document, ensure_ascii=False).encode()

    def _now(self, ahead_seconds: int = 0) -> str:
        """Returns the time by the bank's clock."""
        now = datetime.now(UTC) + timedelta(seconds=self._control["skew_seconds"] + ahead_seconds)
        return now.isoformat(timespec="seconds")


def main() -> None:
    """Runs the bank until the process is stopped."""
    refuse_production("the bank simulator")
    amqp_uri, keys = values_of("AMQP_URI")["AMQP_URI"], Keys.from_environment()
    control = {
        "mode": os.environ.get("BANK_MODE", "auto"),
        "delay_ms": number_of("BANK_DELAY_MS", 3000),
        "refuse_every": number_of("BANK_REFUSE_EVERY", 20),
        "card_delay_ms": number_of("BANK_CARD_DELAY_MS", 0),
        "skew_seconds": 0,
    }
    ledger_file = os.environ.get("BANK_LEDGER")
    ledger = Ledger(Path(ledger_file) if ledger_file else None)
    reader = BatchReader(amqp_uri, keys, ledger)
    bank = Bank(ledger, reader, FeedbackSender(amqp_uri), keys, control)
    threading.Thread(target=reader.run, name="reader", daemon=True).start()
    threading.Thread(target=bank.decide_forever, name="auto", daemon=True).start()
    serve(server(port_of("BANK_PORT"), bank.routes()))


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _with_faulty_line(lines: list[Result], order: dict[str, Any], errors: dict[str, Result]) -> list[Result]:
    return [*lines, with_error(lines[0], order["faulty_line"], errors)] if order["faulty_line"] else lines


def _completed(result: Result) -> Result:
    """Completes an ordered result: an issued one without a card number gets the card that the bank would make."""
    if result.get("outcome") == "issued" and "card_no" not in result and result.get("application_id"):
        return result | {"card_no": card_number(result["application_id"])}
    return result


def _part_id(order: dict[str, Any], number: int) -> str | None:
    if order["feedback_id"] and order["parts"] > 1:
        return f"{order['feedback_id']}-{number}"
    return order["feedback_id"]


def _parts(results: list[Result], parts: int) -> list[list[Result]]:
    """Splits the results into parts of nearly equal size; fewer parts if there are too few results."""
    return [list(part) for part in (results[start::parts] for start in range(parts)) if part]


if __name__ == "__main__":
    run_program(main)
