"""Runs Nameko services in one process: `python -m services.kit.operations.runner services.membership.service`.

The first lines must come before any other import, so that sockets, locks and psycopg yield to other green threads.
"""

# ruff: noqa: E402
import gc
import os

gc.disable()  # during imports, which create no garbage; collecting takes a tenth of their time
os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"
from services.kit.concurrency import (
    Signal,
    leave_after,
    serve_http,
    spawn,
    spawn_from_signal,
    use_green_threads,
    without_tracebacks,
)

use_green_threads()

import argparse
import inspect
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import structlog
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR, DependencyProvider, iter_extensions
from nameko.runners import ServiceRunner

from services.kit.amqp.broker_users import require_own_user
from services.kit.amqp.queues import QueueChanged
from services.kit.clock import ClockSettings
from services.kit.operations import metrics
from services.kit.operations.health import health_app, watch_readiness
from services.kit.operations.logs import class_name, configure_logs, traceback_without_values
from services.kit.operations.tracing import TracingSettings, configure_tracing, end_tracing
from services.kit.settings import (
    MessagingSettings,
    ProcessSettings,
    SettingsError,
    check_secrets,
    declared,
    read_settings,
    require_settings,
)

log = structlog.get_logger()

_SECONDS_FOR_SPANS = 2.0


def run(modules: Sequence[str]) -> int:
    """Runs the services until SIGTERM or SIGINT; returns the exit status."""
    settings = read_settings(ProcessSettings)
    classes = [cls for module in modules for cls in service_classes(import_module(module))]
    gc.enable()
    check_secrets()
    read_settings(ClockSettings)  # refuses a clock of tests
    require_settings(kind for cls in classes for kind in settings_of_service(cls))
    for cls in classes:
        require_own_user(read_settings(MessagingSettings), cls.name)
        check_keys(cls)
    name = "+".join(cls.name for cls in classes)
    configure_logs(name, settings.log_level)
    metrics.describe_build(name, settings.release, settings.max_workers)
    configure_tracing(name, settings.release, read_settings(TracingSettings))
    runner = ServiceRunner(
        {
            "AMQP_URI": read_settings(MessagingSettings).amqp_uri,
            "max_workers": settings.max_workers,
            "WEB_SERVER_ADDRESS": f"{settings.gateway_host}:{settings.gateway_port}",
        }
    )
    for cls in classes:
        runner.add_service(cls)
    if settings.health_port >= 0:
        address = (settings.health_host, settings.health_port)
        log.info("listening", what="health", port=serve_http(address, health_app(list(runner.containers))))
    return _live(runner, settings)


def service_classes(module: ModuleType) -> list[Any]:
    """The Nameko services that a module defines: classes with a `name` and entrypoints. Raises ValueError for none."""
    found = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and isinstance(getattr(cls, "name", None), str) and _has_entrypoints(cls)
    ]
    if not found:
        raise ValueError(f"{module.__name__} defines no service.")
    return found


def check_keys(service: type) -> None:
    """Lets extensions that use keys check these, in the order of their names; raises the first one's SettingsError.

    Nameko sets them up in any order and in threads of their own, so that several errors would be shown at once.
    """
    entrypoints = (
        entrypoint
        for _, method in inspect.getmembers(service, inspect.isfunction)
        for entrypoint in getattr(method, ENTRYPOINT_EXTENSIONS_ATTR, ())
    )
    shared = (one for entrypoint in entrypoints for one in iter_extensions(entrypoint))
    for extension in [*iter_extensions(service), *shared]:
        if hasattr(extension, "check_keys"):
            extension.check_keys()


def settings_of_service(service: type) -> list[type[Any]]:
    """The settings classes that a service reads: its package's own, and those that its dependencies name."""
    package = service.__module__.rpartition(".")[0]
    own = [kind for kind in declared() if f"{kind.__module__}.".startswith(f"{package}.")]
    dependencies = inspect.getmembers(service, lambda value: isinstance(value, DependencyProvider))
    theirs = [kind for _, one in dependencies for kind in getattr(one, "settings_classes", ())]
    return [MessagingSettings, *theirs, *own]


def _has_entrypoints(cls: type) -> bool:
    return any(hasattr(method, ENTRYPOINT_EXTENSIONS_ATTR) for _, method in inspect.getmembers(cls, inspect.isfunction))


def _live(runner: ServiceRunner, settings: ProcessSettings) -> int:
    ending = Signal()

    def end(reason: Any) -> None:
        if not ending.ready():
            ending.send(reason)

    def serve() -> None:
        try:
            with without_tracebacks():
                runner.start()
            gc.collect()
            gc.set_threshold(20_000)  # a chunk of messages outlives Python's 700; that cost a tenth of the time
            gc.freeze()  # objects from the start stay; collecting through them takes 0.1 s each time
            log.info("started")
            if settings.health_port >= 0:
                spawn(watch_readiness, list(runner.containers))
            runner.wait()
            end(None)
        except Exception as error:
            end(error)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: spawn_from_signal(end, None))
    spawn(serve)
    error = ending.wait()
    _report(error)
    if isinstance(error, SettingsError):
        return 1
    return 0 if _stop(runner, settings.stop_seconds) and error is None else 1


def _report(error: Exception | None) -> None:
    if isinstance(error, SettingsError):
        log.critical("service_failed", reason=str(error))
    elif error is not None:
        words = str(error) if isinstance(error, QueueChanged) else class_name(error)
        log.critical("service_failed", reason=words, traceback=traceback_without_values(error))


def _stop(runner: ServiceRunner, seconds: float) -> bool:
    """Whether all work was finished in time."""
    is_done = False
    with leave_after(seconds):
        runner.stop()
        is_done = True
    with leave_after(_SECONDS_FOR_SPANS):
        end_tracing()
    log.info("stopped" if is_done else "stop_forced")
    return is_done


def _main() -> int:
    parser = argparse.ArgumentParser(description="Run services in this process.")
    parser.add_argument("modules", nargs="+", help="modules that define services, such as services.membership.service")
    modules = parser.parse_args().modules
    if unknown := [module for module in modules if not _exists(module)]:
        parser.error(f"no such module: {', '.join(unknown)}")
    try:
        return run(modules)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    status = _main()
    sys.stdout.flush()
    os._exit(status)
