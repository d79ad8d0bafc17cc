"""A simulated bank: receives batches and recalls from the broker, sends feedback automatically or on HTTP requests.

`python -m deploy.simulators.bank` with AMQP_URI, BANK_HMAC_KEY (messages by BANK_HMAC_SECOND_KEY are accepted too),
BANK_PRIVATE_KEYS and UNION_PUBLIC_KEYS (JWK Sets; without them feedback is in clear text), BANK_PORT; BANK_MODE
`auto` (the default) decides on each applicant in steps BANK_DELAY_MS apart and refuses about one in
BANK_REFUSE_EVERY, and reports what happens to cards in steps BANK_CARD_DELAY_MS apart (0: nothing); `manual` waits for
orders.
BANK_LEDGER names a file that outlasts the process. It shares the message contracts with the product, nothing else.
"""

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

from deploy.simulators.bank_ledger import (
    CARD_ERRORS,
    ERRORS,
    Ledger,
    Result,
    UnknownBatch,
    card_number,
    decide,
    refusing_every,
)
from deploy.simulators.external_keys import Keys, KeyVariables, OutgoingMessage
from deploy.simulators.external_link import CannotSend, ExternalReader, ExternalSender
from deploy.simulators.external_orders import (
    MessageOrder,
    RawOrder,
    as_messages,
    digest,
    in_parts,
    one_of_errors,
    part_id,
    raw_message,
)
from deploy.simulators.http import json_response, number_of, port_of, read_json, serve, server
from services.contracts.external import bank as contract
from services.kit.settings import refuse_production, run_program, values_of

KEYS = KeyVariables("BANK_HMAC_KEY", "BANK_HMAC_SECOND_KEY", "BANK_PRIVATE_KEYS", "UNION_PUBLIC_KEYS")
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


class BankOrder(MessageOrder):
    """How feedback is sent, under this id or one of its own."""

    feedback_id = fields.String(load_default=None, allow_none=True)


class FeedbackOrder(BankOrder):
    """The feedback to send on a batch: these `results`, or `outcome` for the first `count` undecided applicants."""

    results = fields.List(fields.Dict(keys=fields.String()), load_default=None, validate=validate.Length(min=1))
    outcome = fields.String(load_default="issued", validate=validate.OneOf(contract.OUTCOMES))
    count = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1))
    faulty_line = one_of_errors(ERRORS)


class CardOrder(BankOrder):
    """The reports on cards to send; `happened_at` is now where it is absent."""

    cards = fields.List(fields.Dict(keys=fields.String()), required=True, validate=validate.Length(min=1))
    faulty_line = one_of_errors(CARD_ERRORS)


class Bank:
    """The bank: its HTTP interface for control, and its automatic mode."""

    def __init__(
        self, ledger: Ledger, reader: ExternalReader, sender: ExternalSender, keys: Keys, control: dict[str, Any]
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
        self._send_or_refuse("", [], [raw_message(order)])
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
            self._feedback(head or {}, part, part_id(order["feedback_id"], number, order), order["ahead_seconds"])
            for number, part in enumerate(in_parts(lines, order, errors), start=1)
        ]
        return as_messages(bodies, order, self._keys, contract.FEEDBACK_QUEUE)

    def _sound(self, head: dict[str, Any], lines: list[Result]) -> OutgoingMessage:
        return self._keys.signed(self._keys.encrypted(self._feedback(head, lines), contract.FEEDBACK_QUEUE))

    def _feedback(
        self, head: dict[str, Any], lines: list[Result], feedback_id: str | None = None, ahead_seconds: int = 0
    ) -> bytes:
        """Returns the body of a feedback: on the batch in `head`, or else on cards. The id is a digest by default."""
        content = {**head, "processed_at": self._now(ahead_seconds), "results": lines} if head else {"cards": lines}
        document = {"feedback_id": feedback_id or digest(content), **content}
        return json.dumps(document, ensure_ascii=False).encode()

    def _now(self, ahead_seconds: int = 0) -> str:
        """Returns the time by the bank's clock."""
        now = datetime.now(UTC) + timedelta(seconds=self._control["skew_seconds"] + ahead_seconds)
        return now.isoformat(timespec="seconds")


def main() -> None:
    """Runs the bank until the process is stopped."""
    refuse_production("the bank simulator")
    amqp_uri, keys = values_of("AMQP_URI")["AMQP_URI"], Keys.from_environment(KEYS)
    control = {
        "mode": os.environ.get("BANK_MODE", "auto"),
        "delay_ms": number_of("BANK_DELAY_MS", 3000),
        "refuse_every": number_of("BANK_REFUSE_EVERY", 20),
        "card_delay_ms": number_of("BANK_CARD_DELAY_MS", 0),
        "skew_seconds": 0,
    }
    ledger_file = os.environ.get("BANK_LEDGER")
    ledger = Ledger(Path(ledger_file) if ledger_file else None)
    handlers = {
        contract.SUBMITTED: ledger.store_batch,
        contract.RECALLED: ledger.store_recall,
        contract.RECEIPT: ledger.store_receipts,
    }
    reader = ExternalReader(amqp_uri, keys, (contract.BATCHES_QUEUE, contract.RECEIPTS_QUEUE), handlers)
    sender = ExternalSender(amqp_uri, contract.FEEDBACK_EXCHANGE, contract.FEEDBACK_QUEUE)
    bank = Bank(ledger, reader, sender, keys, control)
    threading.Thread(target=reader.run, name="reader", daemon=True).start()
    threading.Thread(target=bank.decide_forever, name="auto", daemon=True).start()
    serve(server(port_of("BANK_PORT"), bank.routes()))


def _completed(result: Result) -> Result:
    """Completes an ordered result: an issued one without a card number gets the card that the bank would make."""
    if result.get("outcome") == "issued" and "card_no" not in result and result.get("application_id"):
        return result | {"card_no": card_number(result["application_id"])}
    return result


if __name__ == "__main__":
    run_program(main)
