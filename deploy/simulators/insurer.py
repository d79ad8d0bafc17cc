"""A simulated mutual-aid society: learns who may be insured, and reports enrolments by itself or on HTTP requests.

`python -m deploy.simulators.insurer` with AMQP_URI, INSURER_HMAC_KEY (messages by INSURER_HMAC_SECOND_KEY are accepted
too), INSURER_PRIVATE_KEYS and ENROLMENT_PUBLIC_KEYS (JWK Sets), INSURER_PORT; INSURER_MODE `auto` (the default) enrols
each eligible member for the rest of the year after INSURER_DELAY_MS; `manual` waits for orders.
INSURER_LEDGER names a file that outlasts the process. It shares the message contracts with the product, nothing else.
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
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Request, Response

from deploy.simulators.external_keys import Keys, KeyVariables, OutgoingMessage
from deploy.simulators.external_link import CannotSend, ExternalReader, ExternalSender
from deploy.simulators.external_orders import (
    Line,
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
from deploy.simulators.insurer_ledger import ERRORS, Ledger, new_enrolment
from services.contracts.external import insurer as contract
from services.contracts.values.dates import SHANGHAI
from services.kit.settings import refuse_production, run_program, values_of

KEYS = KeyVariables("INSURER_HMAC_KEY", "INSURER_HMAC_SECOND_KEY", "INSURER_PRIVATE_KEYS", "ENROLMENT_PUBLIC_KEYS")
ENROLMENTS_A_REPORT = 200
TICK_SECONDS = 0.2


class Control(Schema):
    mode = fields.String(validate=validate.OneOf(("auto", "manual")))
    delay_ms = fields.Integer(validate=validate.Range(min=0))
    skew_seconds = fields.Integer(metadata={"description": "by how much the society's clock is ahead"})


class ReportOrder(MessageOrder):
    """The report to send; fields that an enrolment lacks are those of a new one of its member."""

    report_id = fields.String(load_default=None, allow_none=True)
    enrolments = fields.List(fields.Dict(keys=fields.String()), required=True, validate=validate.Length(min=1))
    faulty_line = one_of_errors(ERRORS)


class Insurer:
    """The society: its HTTP interface for control, and its automatic mode."""

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
            "GET /members": lambda _request: {"items": self._ledger.members()},
            "GET /enrolments": lambda request: {"items": self._ledger.enrolments(request.args.get("member_no"))},
            "GET /receipts": lambda request: {"items": self._ledger.receipts(request.args.get("report_id"))},
            "POST /reports": self.send_report,
            "POST /raw": self.send_raw,
            "GET /control": self.get_control,
            "PUT /control": self.put_control,
            "GET /readyz": self.is_ready,
        }

    def send_report(self, request: Request) -> Response:
        """Sends the ordered report and answers when the broker has it, or at once if it is delayed."""
        order = read_json(request, ReportOrder())
        lines = [self._completed(line, order["ahead_seconds"]) for line in order["enrolments"]]
        bodies = [
            _report(part, part_id(order["report_id"], number, order))
            for number, part in enumerate(in_parts(lines, order, ERRORS), start=1)
        ]
        messages = as_messages(bodies, order, self._keys, contract.ENROLMENTS_QUEUE)
        noted = [] if order["malformed"] or order["unsigned"] or order["clear"] else lines  # they can be sent again
        if order["delay_ms"]:
            threading.Timer(order["delay_ms"] / 1000, self._send, (noted, messages)).start()
        else:
            self._send_or_refuse(noted, messages)
        return json_response({"messages": len(messages), "enrolments": len(lines)}, 202)

    def send_raw(self, request: Request) -> Response:
        """Sends bytes and headers to the queue of enrolments as they are."""
        self._send_or_refuse([], [raw_message(read_json(request, RawOrder()))])
        return json_response({"messages": 1}, 202)

    def is_ready(self, _request: Request) -> Response:
        """Answers whether the society reads its queues; 503 before."""
        is_ready = self._reader.is_reading.is_set()
        return json_response({"status": "ready" if is_ready else "starting"}, 200 if is_ready else 503)

    def get_control(self, _request: Request) -> dict[str, Any]:
        """Returns the mode, the numbers of sent and refused messages, and of failed attempts to send."""
        sender = self._sender
        return {**self._control, "sent": sender.sent, "failed": sender.failed, "refused": self._reader.refused}

    def put_control(self, request: Request) -> dict[str, Any]:
        """Changes settings: the mode, the delay before members are enrolled, the clock's error."""
        self._control.update(read_json(request, Control()))
        return dict(self._control)

    def enrol_forever(self) -> None:
        """In mode auto, enrols each eligible member after the delay."""
        while True:
            time.sleep(TICK_SECONDS)
            if self._control["mode"] == "auto":
                self._enrol_due()

    def _enrol_due(self) -> None:
        due = self._ledger.due_members(time.time() - self._control["delay_ms"] / 1000)
        for start in range(0, len(due), ENROLMENTS_A_REPORT):
            lines = [self._completed({"member_no": one}) for one in due[start : start + ENROLMENTS_A_REPORT]]
            body = self._keys.encrypted(_report(lines), contract.ENROLMENTS_QUEUE)
            try:
                self._send(lines, [self._keys.signed(body)])
            except CannotSend:
                return  # nothing was recorded as sent: the next tick retries

    def _completed(self, line: Line, ahead_seconds: int = 0) -> Line:
        """Returns an ordered enrolment with what it lacks."""
        now = datetime.now(UTC) + timedelta(seconds=self._control["skew_seconds"] + ahead_seconds)
        return {**new_enrolment(str(line.get("member_no")), now.astimezone(SHANGHAI)), **line}

    def _send_or_refuse(self, lines: list[Line], messages: list[OutgoingMessage]) -> None:
        try:
            self._send(lines, messages)
        except CannotSend as error:
            raise ServiceUnavailable(str(error)) from error

    def _send(self, lines: list[Line], messages: list[OutgoingMessage]) -> None:
        self._sender.send(messages)
        self._ledger.record(lines)


def main() -> None:
    """Runs the society until the process is stopped."""
    refuse_production("the simulator of the mutual-aid society")
    amqp_uri, keys = values_of("AMQP_URI")["AMQP_URI"], Keys.from_environment(KEYS)
    control = {
        "mode": os.environ.get("INSURER_MODE", "auto"),
        "delay_ms": number_of("INSURER_DELAY_MS", 3000),
        "skew_seconds": 0,
    }
    ledger_file = os.environ.get("INSURER_LEDGER")
    ledger = Ledger(Path(ledger_file) if ledger_file else None)
    handlers = {contract.ELIGIBLE: ledger.store_members, contract.RECEIPT: ledger.store_receipts}
    reader = ExternalReader(amqp_uri, keys, (contract.MEMBERS_QUEUE, contract.RECEIPTS_QUEUE), handlers)
    sender = ExternalSender(amqp_uri, contract.ENROLMENTS_EXCHANGE, contract.ENROLMENTS_QUEUE)
    insurer = Insurer(ledger, reader, sender, keys, control)
    threading.Thread(target=reader.run, name="reader", daemon=True).start()
    threading.Thread(target=insurer.enrol_forever, name="auto", daemon=True).start()
    serve(server(port_of("INSURER_PORT"), insurer.routes()))


def _report(lines: list[Line], report_id: str | None = None) -> bytes:
    """Returns the body of a report; its id is a digest by default."""
    document = {"report_id": report_id or digest({"enrolments": lines}), "enrolments": lines}
    return json.dumps(document, ensure_ascii=False).encode()


if __name__ == "__main__":
    run_program(main)
