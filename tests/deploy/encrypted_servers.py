"""A broker, a database and a front of HTTPS on loopback whose certificates a test replaces while they run."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography import x509

from deploy.local import nodes, postgres
from deploy.local.client import wait_until
from deploy.local.environment import ROOT, Addresses
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from tests.certificates import Authority, Certificate
from tests.debian_packages import need_packages

_FOLDER = ROOT / ".local" / "test-encrypted"
_PASSED_ON = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {folder}/server.crt;
        ssl_certificate_key {folder}/server.key;
        location / {{ proxy_pass {url}; }}
    }}
}}
"""
_LISTEN = """
{{ok, _}} = application:ensure_all_started(ssl),
rabbit_networking:start_ssl_listener({{"{host}", {port}}}, [
    {{cacertfile, "{folder}/trusted.crt"}},
    {{certfile, "{folder}/server.crt"}},
    {{keyfile, "{folder}/server.key"}}
], 10).
"""
_CLOSE_ALL = '[rabbit_networking:close_connection(One, "replaced") || One <- rabbit_networking:connections()].'
_UNENCRYPTED = """
[binary_to_list(proplists:get_value(user, One))
    || One <- rabbit_networking:connection_info_all([user, ssl]), not proplists:get_value(ssl, One)].
"""
_WITNESS = "witness of clear text"
"""The name of our own sessions: a closed one may still be there when the next one looks."""
_UNENCRYPTED_SESSIONS = f"""
select usename::text from pg_stat_activity join pg_stat_ssl using (pid)
where not ssl and backend_type = 'client backend' and application_name <> '{_WITNESS}'
"""
_ASK_FOR_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""The message by which a client of PostgreSQL asks to encrypt."""


@dataclass
class Servers:
    """The running servers; clients find the trusted authorities in the file `trusted`."""

    nodes: Nodes
    broker_port: int

    trusted = _FOLDER / "trusted.crt"

    def trust(self, *authorities: Authority) -> None:
        """Has clients trust these authorities and no other."""
        fresh = self.trusted.with_suffix(".new")
        fresh.write_bytes(b"".join(one.certificate for one in authorities))
        fresh.replace(self.trusted)

    def present(self, certificate: Certificate) -> None:
        """Gives broker and database another certificate, which new connections see."""
        certificate.write(_FOLDER / "server.crt", _FOLDER / "server.key")
        self.nodes.rabbitmq.evaluate("ssl:clear_pem_cache().")
        data = postgres.data_folder(_FOLDER)
        certificate.write(data / "server.crt", data / "server.key")
        self.execute("select pg_reload_conf()")
        wait_until(lambda: self._presented_by_broker() == certificate.number, "the broker presents the certificate")
        wait_until(lambda: self._presented_by_database() == certificate.number, "the database presents it")

    def close_connections(self) -> None:
        """Ends all connections to both."""
        self.nodes.rabbitmq.evaluate(_CLOSE_ALL)
        self.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname like 'encrypted%'")

    def unencrypted(self) -> list[str]:
        """The users of broker and database with a connection in clear text."""
        of_broker = re.findall(r'"([^"]+)"', self.nodes.rabbitmq.evaluate(_UNENCRYPTED))
        return [*of_broker, *(name for (name,) in self.execute(_UNENCRYPTED_SESSIONS))]

    def encrypted(self, addresses: Addresses) -> Addresses:
        """The same addresses, by encrypted connections that verify the server."""
        verified = f"?sslmode=verify-full&sslrootcert={self.trusted}"

        def uri(plain: str) -> str:
            account, _, rest = plain.removeprefix("amqp://").rpartition("@")
            return f"amqps://{account}@{LOOPBACK}:{self.broker_port}/{rest.partition('/')[2]}"

        return Addresses(
            {program: uri(plain) for program, plain in addresses.amqp_uris.items()},
            {service: plain + verified for service, plain in addresses.database_urls.items()},
            {service: plain + verified for service, plain in addresses.owner_urls.items()},
        )

    def broker_uri(self) -> str:
        """The broker's address as its administrator, encrypted."""
        plain = self.nodes.rabbitmq.uri("/")
        return f"amqps://{plain.removeprefix('amqp://').rpartition('@')[0]}@{LOOPBACK}:{self.broker_port}//"

    def database_url(self) -> str:
        """The database's address as its superuser, encrypted and verified."""
        return f"{self.nodes.postgres.url()}?sslmode=verify-full&sslrootcert={self.trusted}"

    def execute(self, query: str) -> list[tuple[str, ...]]:
        """Runs a statement as the superuser; returns its rows."""
        url = self.nodes.postgres.url().replace("+psycopg", "")
        with psycopg.connect(url, sslmode="disable", autocommit=True, application_name=_WITNESS) as administrator:
            found = administrator.execute(query)
            return found.fetchall() if found.description else []

    def _presented_by_broker(self) -> int:
        with socket.create_connection((LOOPBACK, self.broker_port)) as plain:
            return _number_seen(plain)

    def _presented_by_database(self) -> int:
        with socket.create_connection((LOOPBACK, self.nodes.postgres.port)) as plain:
            plain.sendall(_ASK_FOR_TLS)
            return _number_seen(plain) if plain.recv(1) == b"S" else 0


@contextmanager
def running_servers(authority: Authority) -> Iterator[Servers]:
    """Runs broker and database of their own, with a certificate of the authority."""
    nodes.drop(_FOLDER)
    try:
        servers = Servers(nodes.start(_FOLDER), hold_port())
        servers.trust(authority)
        data = postgres.data_folder(_FOLDER)
        certificate = authority.issue()
        certificate.write(data / "server.crt", data / "server.key")
        certificate.write(_FOLDER / "server.crt", _FOLDER / "server.key")
        servers.execute("alter system set ssl = on")
        servers.nodes.rabbitmq.evaluate(_LISTEN.format(host=LOOPBACK, port=servers.broker_port, folder=_FOLDER))
        servers.present(certificate)
        yield servers
    finally:
        nodes.drop(_FOLDER)


@contextmanager
def front_of(url: str, certificate: Certificate, folder: Path) -> Iterator[str]:
    """Runs nginx with this certificate before an address of HTTP; yields its own address."""
    need_packages("nginx")
    certificate.write(folder / "server.crt", folder / "server.key")
    port = hold_port()
    (folder / "nginx.conf").write_text(_PASSED_ON.format(folder=folder, host=LOOPBACK, port=port, url=url))
    started = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")])
    try:
        wait_until(lambda: _listens(port), "nginx listens")
        yield f"https://{LOOPBACK}:{port}"
    finally:
        started.terminate()
        started.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _number_seen(plain: socket.socket) -> int:
    """The serial number of the certificate that a server presents, whoever signed it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(plain) as encrypted:
        presented = encrypted.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(presented).serial_number if presented else 0
