"""Generates the event catalogue (docs/events) from the contracts: Markdown pages and an AsyncAPI 3 document."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields, validate

from deploy.outside_parties import CONTRACTS, OUTSIDE_PARTIES, OutsideParty
from services.contracts.events.all_events import EVENTS
from services.contracts.examples import readable_example
from services.contracts.external import bank, bank_files
from services.contracts.external.protection import CONTENT_TYPE, SIGNATURE_HEADER, decrypt, read_keys, sign
from services.kit.events.contract import EncryptedField, EventContract

ENCRYPTION_EXAMPLE = CONTRACTS / "bank_encryption_example.json"
"""A stored encrypted message with its key; encrypting it anew would give another text each time."""
_SAMPLE_KEY = "a sample key of 32 bytes or more"


def texts() -> dict[str, str]:
    """Returns the catalogue's files: name → content."""
    pages = {"README.md": _index(), "asyncapi.json": _asyncapi()}
    pages |= {f"{party.name}.md": _guide(party) for party in OUTSIDE_PARTIES} | {"bank-files.md": _file_guide()}
    for producer in dict.fromkeys(contract.producer for contract in EVENTS.values()):
        pages[f"{producer}.md"] = _producer_page(producer)
    return pages


def _index() -> str:
    rows = [
        f"| [`{contract.type}`]({contract.producer}.md#{contract.name}) | {contract.summary} | {_consumers(contract)} |"
        for contract in EVENTS.values()
    ]
    outside = [
        f"| [`{name}`]({party.name}.md) | {summary} |"
        for party in OUTSIDE_PARTIES
        for name, summary in party.summaries.items()
    ]
    return "\n".join(
        [
            "# Event catalogue",
            "",
            "Made from `services/contracts/` by `make docs`; do not edit. The same in machine form:",
            "[asyncapi.json](asyncapi.json).",
            "",
            "An event is a [CloudEvents 1.0](https://cloudevents.io) document in JSON on the topic exchange of its",
            "producer, `<producer>.events`; it is published once for each recipient, by its type and the recipient's",
            "name: `<type>.<service>`, and `<type>.live` for live pages. The property `user_id` names the",
            "publisher, which the broker checks; an event of another user is refused. Each consumer",
            "has a quorum queue for each event, `<service>.<event>`, and a dead-letter queue `<service>.<event>.dead`.",
            "Fields marked *encrypted* are personal data.",
            "",
            "| event | meaning | consumers |",
            "|---|---|---|",
            *rows,
            "",
            "| message with an outside party | meaning |",
            "|---|---|",
            *outside,
            "",
            "A branch that takes no messages exchanges [files](bank-files.md).",
            "",
        ]
    )


def _consumers(contract: EventContract[Any]) -> str:
    if not contract.consumers:
        return "live pages only"
    return ", ".join((*contract.consumers, "live pages") if contract.is_live else contract.consumers)


def _producer_page(producer: str) -> str:
    lines = [f"# Events of {producer}", "", "Made from the contracts by `make docs`; do not edit.", ""]
    for contract in EVENTS.values():
        if contract.producer == producer:
            lines += [f"## {contract.name}", "", contract.summary, ""]
            lines += [f"Type `{contract.type}` · consumed by {_consumers(contract)}", ""]
            lines += _field_table(contract.schema()) + _example(contract.type)
    return "\n".join(lines)


def _guide(party: OutsideParty) -> str:
    """Returns the guide for a party's integrators, with its messages and rejections."""
    made = {f"message {name}": _message(schema, party.example(name)) for name, schema in party.messages.items()}
    made |= {"rejections": _rejections(party), "encryption": _sample_encryption()}
    return _filled_in(party.guide.read_text("utf-8"), made)


def _file_guide() -> str:
    """Returns the guide for branches that take files, with headings and rejections."""
    applicants, recalled = bank_files.APPLICANT_HEADINGS, bank_files.RECALLED_HEADINGS
    made = {
        "headings applicants": [f"{'、'.join(applicants.values())}."],
        "headings recalled": [f"{'、'.join(recalled.values())}."],
        "rejections": [
            *("| code | what the receipt says | what it means |", "|---|---|---|"),
            *(
                f"| `{code}` | {words} | {bank.REJECTIONS[code]} |"
                for code, words in bank_files.REJECTION_WORDS.items()
            ),
        ],
    }
    for form in bank_files.FORMS:
        rows = [f"| {form.written(name)} | `{name}` | {form.notes.get(name, '')} |" for name in form.headings]
        made[f"form {form.title}"] = ["| heading | in messages | what to fill in |", "|---|---|---|", *rows]
    return _filled_in((CONTRACTS / "bank_files.md").read_text("utf-8"), made)


def _filled_in(page: str, made: dict[str, list[str]]) -> str:
    for place, lines in made.items():
        page = page.replace(f"<!-- {place} -->", "\n".join(lines).strip())
    return page


def _message(schema: type[Schema], example: str) -> list[str]:
    rows = [
        f"| `{path}` | {_kind(field)} | {'yes' if field.required else 'no'} | {_meaning(field)} | {_limits(field)} |"
        for path, field in _fields(schema(), "")
    ]
    head = ["| field | type | required | meaning | limits |", "|---|---|---|---|---|"]
    return [*head, *rows, "", *_example(example)]


def _rejections(party: OutsideParty) -> list[str]:
    rows = [f"| `{code}` | {sentence} |" for code, sentence in party.rejections.items()]
    return ["| code | what it says |", "|---|---|", *rows]


def _sample_encryption() -> list[str]:
    """Returns one message in all steps of its encryption, as a test case for integrators."""
    sample = json.loads(ENCRYPTION_EXAMPLE.read_text("utf-8"))
    parts = sample["jwe"].split(".")
    header = base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)).decode()
    keys = read_keys(json.dumps(sample["private_keys"]), private=True)
    clear = decrypt(sample["jwe"].encode(), sample["message"], keys)
    rows = {
        "JSON": clear.decode(),
        "bank's private keys": json.dumps(sample["private_keys"], separators=(",", ":")),
        "protected header": header,
        "body, a JWE": sample["jwe"],
        "signing key": _SAMPLE_KEY,
        "x-signature of the body": sign(sample["jwe"].encode(), _SAMPLE_KEY.encode()),
        "x-signature of the JSON, were it sent in clear text": sign(clear, _SAMPLE_KEY.encode()),
    }
    return [line for name, text in rows.items() for line in (f"{name}:", "", "```", text, "```", "")]


def _field_table(schema: Schema) -> list[str]:
    return ["| field | type | required | meaning |", "|---|---|---|---|", *_field_rows(schema, ""), ""]


def _field_rows(schema: Schema, prefix: str) -> list[str]:
    return [
        f"| `{path}` | {_kind(field)} | {'yes' if field.required else 'no'} | {_meaning(field)} |"
        for path, field in _fields(schema, prefix)
    ]


def _fields(schema: Schema, prefix: str) -> Iterator[tuple[str, fields.Field[Any]]]:
    """Yields each field with its path; fields of a nested object follow the object."""
    for name, field in schema.fields.items():
        yield f"{prefix}{name}", field
        nested = _nested(field)
        if nested is not None:
            yield from _fields(nested, f"{prefix}{name}{'[]' if _is_list(field) else ''}.")


def _meaning(field: fields.Field[Any]) -> str:
    return str(field.metadata.get("description", ""))


def _limits(field: fields.Field[Any]) -> str:
    """Returns the limits of a field's values, from its description and its validators."""
    said = [str(field.metadata["limits"])] if "limits" in field.metadata else []
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            said.append(", ".join(f"`{one}`" for one in validator.choices))
        elif isinstance(validator, validate.Length):
            things = "items" if _is_list(field) else "characters"
            said.append(f"up to {validator.max} {things}" if not validator.min else f"1 to {validator.max} {things}")
    return "; ".join(said)


def _decrypted(field: fields.Field[Any]) -> fields.Field[Any]:
    return field.inner if isinstance(field, EncryptedField) else field


def _is_list(field: fields.Field[Any]) -> bool:
    return isinstance(_decrypted(field), fields.List)


def _nested(field: fields.Field[Any]) -> Schema | None:
    inner = _decrypted(field)
    if isinstance(inner, fields.List):
        inner = inner.inner
    return inner.schema if isinstance(inner, fields.Nested) else None


def _kind(field: fields.Field[Any]) -> str:
    if isinstance(field, EncryptedField):
        return f"*encrypted* {_kind(field.inner)}"
    if isinstance(field, fields.List):
        return f"list of {_kind(field.inner)}"
    return "object" if isinstance(field, fields.Nested) else type(field).__name__.lower()


def _example(name: str) -> list[str]:
    return ["```json", json.dumps(readable_example(name), ensure_ascii=False, indent=2), "```", ""]


def _asyncapi() -> str:
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Union card services",
            "version": "1",
            "description": "Events between the services, and messages with the bank and the mutual-aid society.",
        },
        "defaultContentType": "application/json",
        "channels": {contract.type: _channel(contract) for contract in EVENTS.values()}
        | {name: _channel_outside(party, name) for party in OUTSIDE_PARTIES for name in party.channels},
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _channel(contract: EventContract[Any]) -> dict[str, Any]:
    exchange = {"name": f"{contract.producer}.events", "type": "topic", "durable": True}
    return {
        "address": contract.key_for("{recipient}"),
        "parameters": {"recipient": {"enum": list(contract.recipients)}},
        "description": contract.summary,
        "messages": {contract.name: {"$ref": f"#/components/messages/{contract.type}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange}},
    }


def _channel_outside(party: OutsideParty, name: str) -> dict[str, Any]:
    binding = (
        {"is": "queue", "queue": {"name": name, "durable": True}}
        if name == party.incoming
        else {"is": "routingKey", "exchange": {"name": party.exchange, "type": "topic", "durable": True}}
    )
    return {
        "address": name,
        "description": party.summaries[name],
        "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in party.channels[name]},
        "bindings": {"amqp": binding},
    }


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for contract in EVENTS.values():
        channel = {"$ref": f"#/channels/{contract.type}"}
        operations[f"{contract.producer}.tells.{contract.name}"] = {"action": "send", "channel": channel}
        for consumer in contract.consumers:
            operations[f"{consumer}.hears.{contract.name}"] = {"action": "receive", "channel": channel}
    for party in OUTSIDE_PARTIES:
        for name in party.channels:
            action, channel = "receive" if name == party.incoming else "send", {"$ref": f"#/channels/{name}"}
            operations[f"{party.owner}.{action}s.{name}"] = {"action": action, "channel": channel}
    return operations


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {
        contract.type: {
            "name": contract.type,
            "contentType": "application/cloudevents+json",
            "summary": contract.summary,
            "payload": _envelope(contract),
        }
        for contract in EVENTS.values()
    }
    for party in OUTSIDE_PARTIES:
        messages |= {name: _message_outside(party, name) for name in party.messages}
    return messages


def _message_outside(party: OutsideParty, name: str) -> dict[str, Any]:
    held = f"The payload is what a JWE for the reader holds: see {party.name}.md."
    return {
        "name": name,
        "contentType": CONTENT_TYPE,
        "summary": f"{party.summaries[name]} {held}",
        "payload": {"$ref": f"#/components/schemas/{party.messages[name].__name__}"},
        "headers": {"type": "object", "properties": {SIGNATURE_HEADER: {"type": "string"}}},
    }


def _envelope(contract: EventContract[Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string"},
            "source": {"const": f"/{contract.producer}"},
            "type": {"const": contract.type},
            "subject": {"type": ["string", "null"]},
            "time": {"type": "string", "format": "date-time"},
            "dataschema": {"type": "string"},
            "correlationid": {"type": "string"},
            "causationid": {"type": ["string", "null"]},
            "traceparent": {"type": "string"},
            "data": {"$ref": f"#/components/schemas/{contract.schema.__name__}"},
        },
    }


def _schemas() -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(title="events", version="1", openapi_version="3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(_encryption_attribute)  # type: ignore[union-attr]
    outside = [schema for party in OUTSIDE_PARTIES for schema in party.messages.values()]
    for schema in [contract.schema for contract in EVENTS.values()] + outside:
        if schema.__name__ not in spec.components.schemas:
            spec.components.schema(schema.__name__, schema=schema)
    return dict(spec.to_dict()["components"]["schemas"])


def _schema_name(schema: Any) -> str:
    return schema.__name__ if isinstance(schema, type) else type(schema).__name__


def _encryption_attribute(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    if not isinstance(field, EncryptedField):
        return {}
    return {
        "type": "string",
        "description": f"sealed {_kind(field.inner)}",
        "x-sealed": self.field2property(field.inner),
    }
