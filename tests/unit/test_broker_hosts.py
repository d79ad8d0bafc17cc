"""A broker address names one host or several; none of its passwords is ever shown."""

import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import quote

import kombu
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.url import parse_url

from services.kit.amqp import connection as connections
from services.kit.amqp.connection import BROKER_ERRORS, open_connection, user_of
from services.kit.broker_hosts import BrokerHost, InvalidAddress, broker_hosts
from services.kit.secret_values import DEMO_MARK, Secret, weaknesses
from services.kit.settings import MessagingSettings, SettingsError
from services.kit.unencrypted_addresses import is_unencrypted

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True) | st.just("[::1]")
SECRET = "s3cr3t-of-nobody"


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, list[BrokerHost]]:
    """An address as kombu writes it, and what it says."""
    user, password, vhost = draw(WORDS), draw(WORDS), draw(WORDS)
    hosts, urls = [], []
    for host in draw(st.lists(HOSTS, min_size=1, max_size=4)):
        scheme, port = draw(st.sampled_from(["amqp", "amqps"])), draw(st.none() | st.integers(1, 65535))
        at = f"{host}:{port}" if port else host
        urls.append(f"{scheme}://{quote(user, '')}:{quote(password, '')}@{at}/{quote(vhost, '')}")
        default = 5671 if scheme == "amqps" else 5672
        hosts.append(BrokerHost(host.strip("[]"), port or default, scheme == "amqps", user, password, vhost))
    return ";".join(urls), hosts


@given(addresses())
def test_each_host_of_an_address_is_read_as_kombu_reads_it(address: tuple[str, list[BrokerHost]]) -> None:
    uri, hosts = address
    assert broker_hosts(uri) == hosts
    assert user_of(uri) == hosts[0].user
    for url, host in zip(kombu.Connection(uri).alt or [uri], hosts, strict=True):
        said = parse_url(url)
        names = ("hostname", "userid", "password", "virtual_host")
        assert tuple(said[name] for name in names) == (host.host, host.user, host.password, host.vhost)


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["amqp://", "amqps://", ";amqp://u:p@", "", "://"]))
def test_no_error_about_an_address_shows_a_part_of_it(before: str, after: str, between: str) -> None:
    uri = f"amqp://someone:{SECRET}{before}{between}{after}"
    shown = traceback_of(lambda: repr(broker_hosts(uri))) + traceback_of(lambda: repr(MessagingSettings(Secret(uri))))
    assert SECRET not in shown


def traceback_of(act: Callable[[], str]) -> str:
    """What the act answers, or what is printed of its error."""
    try:
        return act()
    except (InvalidAddress, SettingsError) as error:
        return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "wrong",
    [
        "amqp://",
        "broker",
        "http://someone:password@broker/cards",
        "amqp://someone:pass/word@broker/cards",
        "amqp://someone:pass#word@broker/cards",
        "amqps://someone:password@broker/cards?ssl_cert_reqs=none",
        "amqp://someone:password@broker:port/cards",
        ";",
        "amqp://one:password@a/cards;amqp://two:password@b/cards",
        "amqp://one:password@a/cards;amqp://one:password@b/others",
        "amqp://one:password@a/cards;amqp://one:other@b/cards",
    ],
)
def test_an_address_that_is_none_or_that_contradicts_itself_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="AMQP_URI"):
        MessagingSettings(Secret(wrong))


@pytest.mark.parametrize(
    ("uri", "is_unsafe"),
    [
        ("amqps://u:p@a/v;amqps://u:p@b/v", False),
        ("amqps://u:p@a/v;amqp://u:p@b/v", True),
        ("amqp://u:p@127.0.0.1:1/v;amqp://u:p@localhost:2/v", False),
        ("amqp://u:p@127.0.0.1:1/v;amqp://u:p@b/v", True),
    ],
)
def test_each_host_must_be_encrypted_not_only_the_first(uri: str, is_unsafe: bool) -> None:
    assert is_unencrypted(uri) == is_unsafe


def test_a_demo_password_is_found_in_an_address_of_several_hosts() -> None:
    uri = ";".join(f"amqps://membership:{DEMO_MARK}0123@{host}/cards" for host in "abc")
    assert weaknesses([("AMQP_URI", Secret(uri))]) == ["AMQP_URI is a secret of the demo"]


class Dialled:
    """Counts who comes to which host, and hangs up on them."""

    def __init__(self) -> None:
        self.ports: list[int] = []

    @contextmanager
    def host(self) -> Iterator[int]:
        """A host that hangs up at once."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            threading.Thread(target=self._hang_up, args=(listener, port), daemon=True).start()
            yield port
            listener.shutdown(socket.SHUT_RDWR)

    def _hang_up(self, listener: socket.socket, port: int) -> None:
        with suppress(OSError):
            while True:
                come, _ = listener.accept()
                self.ports.append(port)
                come.close()


@contextmanager
def host_that_drops_packets() -> Iterator[int]:
    """A port where connections are neither accepted nor refused: its queue is full."""
    with ExitStack() as ends:
        listener = ends.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            waiting = ends.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(autouse=True)
def _forget_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_failed_at", {})


def uri_of(*ports: int) -> str:
    return ";".join(f"amqp://someone:{SECRET}@127.0.0.1:{port}/cards" for port in ports)


def dial(uri: str) -> Exception:
    with pytest.raises(BROKER_ERRORS) as refused:
        open_connection(uri, "test", connect_timeout=0.3)
    return refused.value


def test_every_host_is_tried_and_the_first_one_differs() -> None:
    dialled = Dialled()
    with ExitStack() as hosts:
        ports = [hosts.enter_context(dialled.host()) for _ in range(3)]
        firsts = set()
        for _ in range(40):
            connections._failed_at.clear()
            dialled.ports.clear()
            assert SECRET not in str(dial(uri_of(*ports)))
            assert sorted(dialled.ports) == sorted(ports)
            firsts.add(dialled.ports[0])
    assert firsts == set(ports)


def test_a_host_that_drops_packets_is_given_up_and_comes_last_from_then_on() -> None:
    dialled = Dialled()
    with host_that_drops_packets() as silent, dialled.host() as other:
        uri, tried = uri_of(silent, other), 0
        while connections._failed_at.get(("127.0.0.1", silent)) is None:
            dial(uri)
            tried += 1
            assert tried < 2, "each connection tries every host"
        connections._failed_at.pop(("127.0.0.1", other))
        orders = {connections._in_order_of_trial(broker_hosts(uri))[0].port for _ in range(40)}
    assert dialled.ports == [other]
    assert orders == {other}
