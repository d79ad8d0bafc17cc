"""The chart's values and examples agree with the code: settings, secrets, queues, roles, connections."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.chart_schema import SCHEMA, SHARED_SECRETS, secrets_of_program, settings_of_program
from deploy.local.rabbitmq import LARGEST_MESSAGE
from deploy.permissions import SERVICES
from services.kit.amqp.queues import owner_of, request_queue
from services.kit.data.database import engine_for
from services.kit.events.topology import all_queues, event_queues
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings, MessagingSettings
from services.kit.system import external_of
from tests.databases import ROOT
from tests.deploy import chart, custom_resources

NEEDED_IN_PRODUCTION = {
    "membership": {"AUDIT_SIGNING_KEYS"},
    "batching": {"BANK_PUBLIC_KEYS", "UNION_PRIVATE_KEYS"},
    "gateway": {"CALLER_SIGNING_KEYS", "REQUEST_PUBLIC_KEYS"},
}
_CONNECTIONS_OF_OTHERS = 40
"""Of jobs, checks, backups, replication and administrators."""


def database_connections(values: Mapping[str, Any]) -> int:
    """The most connections of all services to PostgreSQL, with one pod more of each during an upgrade."""
    found = 0
    for service in SERVICES:
        program = values["programs"][service]
        settings = DatabaseSettings(database_url=Secret("postgresql://localhost/none"), max_workers=program["workers"])
        pool: Any = engine_for(settings, "test").pool
        of_relay = 1
        pods = program["scale"]["max"] if values["scaling"]["services"] else program["replicas"]
        found += (pods + 1) * (int(pool.size()) + int(pool._max_overflow) + of_relay)
    return found


def _schema() -> Any:
    return json.loads(SCHEMA.read_text("utf-8"))


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All parts of a schema that describe an object of certain properties."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else []:
        yield from _objects(part)


def _examples(name: str) -> list[chart.Manifest]:
    return list(yaml.safe_load_all((chart.EXAMPLES / name).read_text("utf-8")))


def test_every_value_is_described_and_no_other_is_accepted() -> None:
    found = list(_objects(_schema()))

    assert len(found) > 30
    for part in found:
        assert part["additionalProperties"] is False, part
        for name, value in part["properties"].items():
            assert value.get("description"), name


@pytest.mark.parametrize("values", chart.configurations().values(), ids=chart.configurations())
def test_each_configuration_is_what_the_schema_asks_for(values: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(_schema()).validate(chart.merged(chart.default_values(), values))


def test_what_must_be_set_has_no_default() -> None:
    errors = jsonschema.Draft202012Validator(_schema()).iter_errors(chart.default_values())
    paths = {error.json_path.removeprefix("$.") for error in errors}

    assert paths == {
        *("image.repository", "host", "callerPublicKeys", "registryUrl", "smsUrl"),
        *("network.to.registry.peers", "network.to.sms.peers"),
    }


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_a_program_is_given_the_secrets_that_it_cannot_start_without(program: str) -> None:
    given = set(chart.default_values()["programs"][program]["secretKeys"])
    shared = set(SHARED_SECRETS) if program in SERVICES else set()
    secrets = secrets_of_program(program)

    required = {one.variable for one in settings_of_program(program) if one.is_required} & secrets
    assert required | NEEDED_IN_PRODUCTION.get(program, set()) <= given | shared
    assert given <= secrets - shared


@pytest.mark.parametrize("service", SERVICES)
def test_the_queues_that_scale_a_service_are_its_events_and_requests(service: str) -> None:
    patterns = chart.default_values()["scaling"]["queues"][service]
    queues = all_queues(MessagingSettings(amqp_uri=Secret()).retry_delays)

    counted = {queue for queue in queues if re.search(patterns["events"], queue)}
    from_outside = {queue for one in external_of(service) for queue in one.consumed}
    assert counted == {queue for queue in event_queues() if owner_of(queue) == service} | from_outside
    assert [queue for queue in queues if re.search(patterns["requests"], queue)] == [request_queue(service)]


def test_the_example_of_a_broker_suits_the_services() -> None:
    manifests = _examples("broker.yaml")
    cluster = manifests[0]
    config = dict(line.split(" = ") for line in cluster["spec"]["rabbitmq"]["additionalConfig"].splitlines())
    values = chart.default_values()

    assert custom_resources.errors(manifests) == []
    assert config["default_vhost"] == values["vhost"]
    assert int(config["max_message_size"]) == LARGEST_MESSAGE
    name = cluster["metadata"]["name"]
    [peer] = values["network"]["to"]["broker"]["peers"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}
    assert chart.example("production")["authorities"]["broker"]["secret"] == cluster["spec"]["tls"]["secretName"]


def test_the_example_of_databases_has_two_roles_and_a_database_for_each_service() -> None:
    cluster, *databases = _examples("postgres.yaml")

    assert custom_resources.errors([cluster, *databases]) == []
    roles = [role["name"] for role in cluster["spec"]["managed"]["roles"]]
    assert roles == [role for service in SERVICES for role in (f"{service}_owner", service)]
    owned = {one["spec"]["name"]: one["spec"]["owner"] for one in databases}
    assert owned == {service: f"{service}_owner" for service in SERVICES}
    assert cluster["spec"]["postgresql"]["synchronous"]["dataDurability"] == "required"


def test_the_example_of_databases_has_room_for_the_connections_of_a_scaled_production() -> None:
    values = chart.merged(chart.default_values(), chart.example("production"))
    allowed = int(_examples("postgres.yaml")[0]["spec"]["postgresql"]["parameters"]["max_connections"])

    assert values["scaling"]["services"]
    assert database_connections(values) + _CONNECTIONS_OF_OTHERS <= allowed


def test_grants_of_the_example_are_those_of_the_installation_guide() -> None:
    guide = (ROOT / "docs/operations/installing.md").read_text("utf-8")
    script = (chart.EXAMPLES / "grants.sql").read_text("utf-8")
    statements = [line.removesuffix(";") for line in script.splitlines() if not line.startswith("--")]

    assert len(statements) == 5
    for statement in statements:
        ours = statement.replace(':"service"', "membership").replace(':"owner"', "membership_owner")
        assert ours in guide, statement


def test_values_hold_no_secret() -> None:
    programs = (*SERVICES, "gateway")
    secrets = set().union(*map(secrets_of_program, programs))
    lists = [kind["propertyNames"]["enum"] for kind in _schema()["$defs"].values() if "propertyNames" in kind]

    assert "AMQP_URI" in secrets
    assert len(lists) == len(programs) + 1
    assert not secrets & {name for names in lists for name in names}
