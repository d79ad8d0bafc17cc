"""A private RabbitMQ node with its data, log, cookie and password in one folder; it needs no root.

deploy/local/rabbitmq_cluster.py joins several of them.
"""

import base64
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.ports import LOOPBACK, hold_port, is_free
from deploy.local.private_files import UMASK, make_private, open_private, write_private

ADMINISTRATOR = "cards"
LARGEST_MESSAGE = 64 << 20
SHARE_OF_MEMORY = 0.5
"""While the node uses more than this share of the machine's memory, it blocks publishers."""
_MEMORY_OF_A_MEMBER = "512MB"
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_COOKIE = ".erlang.cookie"
_SECONDS_TO_START = 120
_SECONDS_TO_STOP = 60
# Depths come from each quorum queue's leader, since the server's list is up to five seconds old.
_QUEUE_DEPTHS = """
[{binary_to_list(element(4, amqqueue:get_name(Queue))),
  case amqqueue:get_type(Queue) of
    rabbit_quorum_queue ->
      {ok, {_, Total}, _} = ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1),
      Total;
    _ -> proplists:get_value(messages, rabbit_amqqueue:info(Queue, [messages]))
  end} || Queue <- rabbit_amqqueue:list(<<"%s">>)].
"""
# A node before 3.10.20 hands on no dead letter any more when it deletes queues that are just being declared.
_DELETE_VHOST = """
Vhost = <<"%s">>,
Connections = fun() ->
  [Pid || Pid <- rabbit_networking:connections(),
          (catch rabbit_networking:connection_info(Pid, [vhost])) =:= [{vhost, Vhost}]] end,
Channels = fun() ->
  [Pid || Pid <- rabbit_channel:list(), (catch rabbit_channel:info(Pid, [vhost])) =:= [{vhost, Vhost}]] end,
catch rabbit_vhost_limit:set(Vhost, [{<<"max-connections">>, 0}], <<"%s">>),
Close = fun Again(Left) ->
  Open = Connections(),
  [catch rabbit_networking:close_connection(Pid, "the virtual host is deleted") || Pid <- Open],
  case Left =:= 0 orelse (Open =:= [] andalso Channels() =:= []) of
    true -> ok;
    false -> timer:sleep(20), Again(Left - 1)
  end end,
Close(500),
catch rabbit_vhost:delete(Vhost, <<"%s">>).
"""
_DELETE_IF_EMPTY = """
{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"%s">>, queue, <<"%s">>)),
case ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1) of
    {ok, {_, 0}, _} -> {ok, _} = rabbit_amqqueue:delete(Queue, false, false, <<"%s">>), deleted;
    _ -> kept
end.
"""


@dataclass(frozen=True)
class Membership:
    """What the nodes of one cluster share: their secrets, their port mapper, and the node that the others join."""

    cookie: str
    password: str
    port_mapper_port: int
    first: str


@dataclass(frozen=True)
class RabbitMQ:
    """A running broker, with the right to make virtual hosts on it: one node, or a cluster with `others`."""

    folder: Path
    port: int
    password: str
    others: tuple["RabbitMQ", ...] = ()

    @property
    def nodes(self) -> tuple["RabbitMQ", ...]:
        """Return each node by itself."""
        return (RabbitMQ(self.folder, self.port, self.password), *self.others)

    def uri(self, vhost: str, user: str = ADMINISTRATOR, password: str | None = None) -> str:
        """Return the AMQP address of a virtual host on all nodes; as the administrator unless a user is named."""
        whose = f"{user}:{password or self.password}"
        return ";".join(f"amqp://{whose}@{LOOPBACK}:{node.port}/{vhost}" for node in self.nodes)

    def import_definitions(self, definitions: Mapping[str, Any]) -> None:
        """Import definitions, as `rabbitmqctl import_definitions` does."""
        document = base64.b64encode(json.dumps(definitions).encode()).decode()
        self.evaluate(f'ok = rabbit_definitions:import_raw(base64:decode("{document}")).')

    def delete_users(self, names: Iterable[str]) -> None:
        """Delete users; their connections are closed."""
        for name in names:
            self.evaluate(f'catch rabbit_auth_backend_internal:delete_user(<<"{name}">>, <<"{ADMINISTRATOR}">>).')

    def create_vhost(self, name: str) -> None:
        """Make a virtual host, unless it exists, with all permissions for the administrator."""
        self.evaluate(
            f'case rabbit_vhost:exists(<<"{name}">>) of true -> ok; '
            f'false -> ok = rabbit_vhost:add(<<"{name}">>, <<"{ADMINISTRATOR}">>) end, '
            f"ok = rabbit_auth_backend_internal:set_permissions("
            f'<<"{ADMINISTRATOR}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"{ADMINISTRATOR}">>).',
        )

    def delete_vhost(self, name: str) -> None:
        """Close the connections to a virtual host, and delete it with its queues when no client declares any more."""
        self.evaluate(_DELETE_VHOST % (name, ADMINISTRATOR, ADMINISTRATOR))

    def queue_depths(self, vhost: str) -> dict[str, int]:
        """Return the messages in each queue of a virtual host now, ready and unacknowledged together."""
        answer = self.evaluate(_QUEUE_DEPTHS % vhost)
        return {name: int(depth) for name, depth in re.findall(r'\{"([^"]+)",\s*(\d+)\}', answer)}

    def delete_if_empty(self, vhost: str, queue: str) -> bool:
        """Delete a quorum queue if it holds no message, ready or unacknowledged; return whether it did.

        By AMQP this is possible for classic queues only.
        """
        return "deleted" in self.evaluate(_DELETE_IF_EMPTY % (vhost, queue, ADMINISTRATOR))

    def limit_memory(self, share: float) -> None:
        """Block publishers while the node uses more than this share of the machine's memory."""
        self.evaluate(f"ok = vm_memory_monitor:set_vm_memory_high_watermark({share:.9f}).")

    def evaluate(self, expression: str) -> str:
        """Evaluate an Erlang expression on a node that runs; return what it gave."""
        running = [node.folder for node in self.nodes if is_running(node.folder)]
        return _evaluate(running[0] if running else self.folder, expression)


def start(folder: Path, membership: Membership | None = None) -> RabbitMQ:
    """Start the node of this folder unless it runs; it is made if there is none.

    A node that is started with a membership belongs to that cluster.
    Raises RuntimeError with the end of the log if it does not start.
    """
    home = folder / "rabbitmq"
    make_private(home)
    if pid(folder) is None:
        _write_settings(home, membership)
        _launch(home)
    state = _state(home)
    return RabbitMQ(folder, state["port"], state["password"])


def is_running(folder: Path) -> bool:
    return pid(folder) is not None


def stop(folder: Path) -> None:
    """Stop the node of this folder, if it runs, and its port mapper."""
    server = pid(folder)
    if server is None:
        return
    os.kill(server, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while pid(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    if pid(folder) is not None:
        os.kill(server, signal.SIGKILL)
    _stop_port_mapper(folder / "rabbitmq")


def kill(folder: Path) -> None:
    """End the node of this folder at once, as if its machine had failed; return when it is gone."""
    server = pid(folder)
    if server is not None:
        os.kill(server, signal.SIGKILL)
    while pid(folder) is not None:
        time.sleep(0.01)


def drop(folder: Path) -> None:
    """Stop the node and delete its data."""
    stop(folder)
    shutil.rmtree(folder / "rabbitmq", ignore_errors=True)


def pid(folder: Path) -> int | None:
    """Return the process id of the Erlang machine, None if it does not run."""
    try:
        server = int((folder / "rabbitmq" / "rabbitmq.pid").read_text())
        command = Path(f"/proc/{server}/cmdline").read_text()
        running = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return None
    return server if running and "rabbit" in command else None


def is_installed() -> bool:
    return _SERVER.exists()


def _state(home: Path) -> dict[str, Any]:
    return json.loads((home / "state.json").read_text())


def _write_settings(home: Path, membership: Membership | None) -> None:
    """Choose ports, new ones where another program has taken the old, and write the server's configuration."""
    if (home / "state.json").exists():
        _stop_port_mapper(home)  # of a server that was killed
        state = _state(home)
    elif membership:
        state = {**vars(membership), "node": f"{home.parent.name}@localhost"}
        _write_cookie(home, membership.cookie)
    else:
        state = {"password": secrets.token_hex(16)}
    own_ports = ("port", "distribution_port") if membership else ("port", "distribution_port", "port_mapper_port")
    ports = {name: hold_port(state.get(name), wait_seconds=5) for name in own_ports}
    write_private(home / "state.json", json.dumps({**state, **ports}))
    write_private(home / "enabled_plugins", "[].\n")
    write_private(
        home / "rabbitmq.conf",
        f"listeners.tcp.1 = {LOOPBACK}:{ports['port']}\n"
        f"default_user = {ADMINISTRATOR}\n"
        f"default_pass = {state['password']}\n"
        "log.file.level = warning\n"
        # The broker blocks publishers if less disk is free; Debian's default of 50 MB also suits a laptop.
        "disk_free_limit.absolute = 50MB\n"
        # A file of 20 MB is one request; from 4.0 on RabbitMQ's default limit is 16 MB.
        f"max_message_size = {LARGEST_MESSAGE}\n"
        + (_of_cluster(state) if membership else f"vm_memory_high_watermark.relative = {SHARE_OF_MEMORY}\n"),
    )


def _of_cluster(state: Mapping[str, Any]) -> str:
    """Return the configuration of a member: a new one joins the first; one that sees no majority stops serving."""
    joined = (
        "cluster_formation.peer_discovery_backend = classic_config\n"
        f"cluster_formation.classic_config.nodes.1 = {state['first']}\n"
    )
    return (
        f"vm_memory_high_watermark.absolute = {_MEMORY_OF_A_MEMBER}\n"
        "cluster_partition_handling = pause_minority\n" + (joined if state["node"] != state["first"] else "")
    )


def _launch(home: Path) -> None:
    if not is_installed():
        raise RuntimeError("RabbitMQ is not installed: apt-get install rabbitmq-server")
    pid_file = home / "rabbitmq.pid"
    pid_file.unlink(missing_ok=True)
    with open_private(home / "startup.log", "w") as log:
        # RABBITMQ_ALLOW_INPUT makes the script exec the Erlang machine instead of waiting for it.
        server = subprocess.Popen(
            [str(_SERVER), "-noinput"],
            env={**_environment(home), "RABBITMQ_ALLOW_INPUT": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,
            umask=UMASK,
        )
    write_private(pid_file, str(server.pid))
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        if _is_ready(home):
            return
        time.sleep(0.2)
    if server.poll() is None:
        server.kill()
    server.wait()
    _stop_port_mapper(home)
    pid_file.unlink(missing_ok=True)
    raise RuntimeError(f"RabbitMQ did not start:\n{(home / 'startup.log').read_text()[-2000:]}")


def _stop_port_mapper(home: Path) -> None:
    """End the port mapper, unless others use it; retry, since it refuses until it notices that the server is gone."""
    if "first" not in _state(home):
        end_port_mapper(home)


def end_port_mapper(home: Path) -> None:
    """End the port mapper that the node in this folder uses; retry as long as it knows of a server."""
    for _ in range(50):
        subprocess.run(["epmd", "-kill"], env=_environment(home), capture_output=True, check=False)
        if is_free(_state(home)["port_mapper_port"]):
            return
        time.sleep(0.1)


def _is_ready(home: Path) -> bool:
    """Whether the node reports that it has booted; its port opens earlier."""
    try:
        return _evaluate(home.parent, "rabbit:is_booted().") == "true"
    except RuntimeError:
        return False


def _evaluate(folder: Path, expression: str) -> str:
    """Evaluate one Erlang expression on the node, and return what it printed.

    It does the same as `rabbitmqctl eval`, in 3 ms instead of 2 s. With -R the node gives each caller its own name;
    callers that share a name are refused while another is answered.
    """
    environment = _environment(folder / "rabbitmq")
    called = subprocess.run(
        ["erl_call", "-R", "-address", f"{LOOPBACK}:{environment['RABBITMQ_DIST_PORT']}", "-e"],
        input=expression + "\n",
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    status, _, value = called.stdout.partition(", ")
    if called.returncode or status != "{ok":
        raise RuntimeError(f"RabbitMQ refused {expression}: {called.stdout}{called.stderr}")
    return value.strip().removesuffix("}")


def _write_cookie(home: Path, cookie: str) -> None:
    write_private(home / _COOKIE, cookie)
    (home / _COOKIE).chmod(0o400)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which RabbitMQ's command line reaches the node of this folder."""
    return _environment(folder / "rabbitmq")


def _environment(home: Path) -> dict[str, str]:
    if not (home / _COOKIE).exists():
        _write_cookie(home, secrets.token_hex(16))
    state = _state(home)
    return {
        "PATH": "/usr/lib/erlang/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ERL_EPMD_PORT": str(state["port_mapper_port"]),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_NODENAME": state.get("node", "cards@localhost"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_DIST_PORT": str(state["distribution_port"]),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
