"""Addresses of databases are read as PostgreSQL's library reads them, and no plain one passes in production."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import pq

from deploy.local.environment import ROOT
from services.kit.data.database_address import NotADatabaseAddress, is_plain_database, parameters_of, servers_of
from services.kit.data.primary import Primary
from services.kit.secret_values import DEMO_MARK, Secret, weaknesses
from services.kit.settings import DatabaseSettings, SettingsError, read_settings

_LOCAL = ["127.0.0.1", "127.8.0.1", "::1", "/run/postgresql", "@abstract", ""]
_FAR = ["192.0.2.7", "2001:db8::1"]
_MODES = ["verify-full", "verify-ca", "require", "prefer", "disable"]
_ENVIRONMENT = ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE", "PGREQUIRESSL")
_PASSWORD = "pass-w0rd-of-nobody"

hosts = st.lists(st.sampled_from(_LOCAL + _FAR), min_size=1, max_size=3).map(",".join)
numbers = st.lists(st.sampled_from(["127.0.0.1", "::1", "", *_FAR]), min_size=1, max_size=3).map(",".join)
queries = st.lists(
    st.one_of(
        st.tuples(st.just("host"), hosts),
        st.tuples(st.just("hostaddr"), numbers),
        st.tuples(st.just("sslmode"), st.sampled_from(_MODES)),
        st.tuples(st.just("ssl"), st.just("true")),
        st.tuples(st.just("service"), st.just("far")),
        st.tuples(st.just("gssencmode"), st.sampled_from(["disable", "prefer"])),
    ),
    max_size=4,
)
authorities = st.sampled_from(["", "127.0.0.1", "[::1]:5433", "192.0.2.7", "127.0.0.1:1,192.0.2.7:2", "[2001:db8::1]"])
environments = st.fixed_dictionaries(
    {},
    optional={
        "PGHOST": hosts,
        "PGHOSTADDR": numbers,
        "PGSSLMODE": st.sampled_from(_MODES),
        "PGSERVICE": st.just("far"),
        "PGREQUIRESSL": st.just("1"),
    },
)


@pytest.fixture(scope="module")
def services_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the library's services: `far` is another machine that is spoken to in the clear."""
    path = tmp_path_factory.mktemp("libpq") / "services.conf"
    path.write_text("[far]\nhost=192.0.2.9\nsslmode=disable\n")
    return path


def as_the_library_connects(address: str) -> dict[str, str] | None:
    """The parameters with which libpq begins to connect, with all that it adds; None where it refuses the address."""
    connection = pq.PGconn.connect_start(address.encode())
    try:
        return {one.keyword.decode(): (one.val or b"").decode() for one in connection.info}
    except psycopg.Error:
        return None
    finally:
        connection.finish()


def is_open_to_listeners(found: dict[str, str]) -> bool:
    """Whether one of these servers may be spoken to over the network without TLS and a verified certificate."""
    names, addresses = found["host"].split(","), found["hostaddr"].split(",")
    there = addresses if any(addresses) else names
    places = [
        address or name for address, name in zip(there, names if len(names) == len(there) else there, strict=True)
    ]
    return found["sslmode"] != "verify-full" and any(place in _FAR or place == "192.0.2.9" for place in places)


@given(authorities, queries, environments)
@example("", [("host", "192.0.2.7"), ("sslmode", "disable")], {})
@example("192.0.2.7", [("sslmode", "verify-full"), ("sslmode", "disable")], {})
@example("127.0.0.1", [("hostaddr", "192.0.2.7")], {})
@example("127.0.0.1", [("host", "127.0.0.1,192.0.2.7")], {})
@example("", [("service", "far")], {})
@example("", [], {"PGHOST": "192.0.2.7"})
@example("127.0.0.1", [], {"PGHOSTADDR": "192.0.2.7"})
@example("", [], {"PGSERVICE": "far"})
def test_what_passes_as_safe_is_never_spoken_to_in_the_clear(
    services_file: Path, authority: str, query: list[tuple[str, str]], environment: dict[str, str]
) -> None:
    address = f"postgresql://u:p@{authority}/cards?" + "&".join(f"{name}={value}" for name, value in query)
    with pytest.MonkeyPatch.context() as patch:
        for name in _ENVIRONMENT:
            patch.delenv(name, raising=False)
        for name, value in {**environment, "PGSERVICEFILE": str(services_file)}.items():
            patch.setenv(name, value)
        found = as_the_library_connects(address)
        if found is not None and not is_plain_database(address):
            assert not is_open_to_listeners(found)


@given(authorities, st.lists(st.tuples(st.just("host"), hosts), max_size=1))
def test_an_address_that_demands_a_verified_certificate_of_all_servers_passes(
    authority: str, query: list[tuple[str, str]]
) -> None:
    more = "&".join(f"{name}={value}" for name, value in [*query, ("sslmode", "verify-full")])
    assert not is_plain_database(f"postgresql+psycopg://u:p@{authority}/cards?{more}")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:p@/cards?host=127.0.0.1,192.0.2.7&port=1,2&target_session_attrs=read-write",
        "postgresql+psycopg://u:p@192.0.2.7/cards?sslmode=verify-full&sslmode=disable",
        "postgresql://u:p@192.0.2.7/cards?sslmode=verify-full&ssl=true",
        "postgresql://u:p@127.0.0.1/cards?host=db.example",
        "postgresql://u:p@localhost.example/cards",
        "POSTGRESQL://u:p@127.0.0.1/cards",
        "postgres+psycopg2://u:p@127.0.0.1/cards",
        "host=127.0.0.1 dbname=cards",
    ],
)
def test_production_refuses_a_plain_address_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    for variable in ("DATABASE_URL", "DATABASE_DIRECT_URL"):
        other = {"DATABASE_URL", "DATABASE_DIRECT_URL"} - {variable}
        monkeypatch.setenv(variable, address)
        monkeypatch.setenv(other.pop(), "postgresql://u:q@127.0.0.1/cards")
        read_settings.cache_clear()
        with pytest.raises(SettingsError, match=f"{variable} is (not encrypted|no address of PostgreSQL)"):
            read_settings(DatabaseSettings)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{_PASSWORD}/x@db.example/cards",
        f"postgresql://u:5{_PASSWORD}%zz@db.example/cards",
        f"postgresql://u:12/{_PASSWORD}@db.example/cards",
        f"postgresql://u:{_PASSWORD}@[db.example/cards",
        f"postgresql://u@/cards?password={_PASSWORD}&unknown=1",
        f"mysql://u:{_PASSWORD}@db.example/cards",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    read_settings.cache_clear()
    with pytest.raises(NotADatabaseAddress) as found:
        parameters_of(address)
    with pytest.raises(SettingsError, match="DATABASE_URL is no address of PostgreSQL") as refusal:
        read_settings(DatabaseSettings)
    assert found.value.__cause__ is None
    assert _PASSWORD not in f"{found.value} {refusal.value!r}"


def test_a_failed_connection_to_all_servers_does_not_show_the_password() -> None:
    settings = DatabaseSettings(Secret(f"postgresql://u:{_PASSWORD}@/cards?host=127.0.0.1,127.0.0.1&port=1,2"))
    with pytest.raises(psycopg.OperationalError) as failure:
        Primary(parameters_of(settings.database_url)).connect()
    assert _PASSWORD not in f"{failure.value!r} {settings!r}"


def test_each_server_has_its_own_name_number_and_port() -> None:
    named = parameters_of("postgresql://u:p@/cards?host=a,b&hostaddr=192.0.2.1,192.0.2.2&port=1,2")
    assert [(one["host"], one["hostaddr"], one["port"]) for one in servers_of(named)] == [
        ("a", "192.0.2.1", "1"),
        ("b", "192.0.2.2", "2"),
    ]
    assert [one["port"] for one in servers_of(parameters_of("postgresql://u:p@a,b/cards?port=5"))] == ["5", "5"]
    assert [one["host"] for one in servers_of(parameters_of("postgresql://a:1,b:2,c:3/cards"))] == ["a", "b", "c"]


def test_one_user_may_have_one_password_at_the_pooler_and_past_it() -> None:
    pooler, direct = (
        Secret("postgresql://cards:secret@pooler/cards"),
        Secret("postgresql+psycopg://cards:secret@db/cards"),
    )
    assert weaknesses([("DATABASE_URL", pooler), ("DATABASE_DIRECT_URL", direct)]) == []
    broker: Any = Secret("amqp://cards:secret@broker/cards")
    found = weaknesses([("DATABASE_URL", pooler), ("AMQP_URI", broker)])
    assert found == ["AMQP_URI is the same secret as DATABASE_URL"]


def test_a_password_after_the_question_mark_is_held_to_the_same_rules() -> None:
    address = Secret(f"postgresql:///cards?user=cards&password={DEMO_MARK}1")
    assert weaknesses([("DATABASE_URL", address)]) == ["DATABASE_URL is a secret of the demo"]


def test_what_the_gateway_shares_with_services_loads_no_database_library() -> None:
    """It would also be loaded before the runner says how it waits, and would block all green threads."""
    shared = "import sys, gateway.service, services.kit.rpc.methods; sys.exit('psycopg' in sys.modules)"
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", shared], cwd=ROOT, check=False)
    assert ran.returncode == 0
