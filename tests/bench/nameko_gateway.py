"""The peer: a plain Nameko gateway as a tutorial writes one, and the service behind it, which answers a constant.

`PART=gateway` or `PART=service`; settings come from AMQP_URI and PORT.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
from typing import Any  # noqa: E402

from nameko.containers import ServiceContainer  # noqa: E402
from nameko.rpc import RpcProxy, rpc  # noqa: E402
from nameko.web.handlers import http  # noqa: E402


class ConstantService:
    """Answers a constant."""

    name = "constant"

    @rpc
    def answer(self) -> dict[str, str]:
        """The constant."""
        return {"account_name": "bench", "name": "王芳", "union": "第 1 工会"}


class PlainGateway:
    """Calls the service, or answers itself."""

    name = "plain_gateway"
    constant = RpcProxy("constant")

    @http("GET", "/constant")
    def ask(self, request: Any) -> str:
        """Returns the service's answer."""
        return json.dumps(self.constant.answer())

    @http("GET", "/floor")
    def answer(self, request: Any) -> str:
        """Returns the same without a service."""
        return json.dumps({"account_name": "bench", "name": "王芳", "union": "第 1 工会"})


def main() -> None:
    """Serves for ever."""
    config = {"AMQP_URI": os.environ["AMQP_URI"], "WEB_SERVER_ADDRESS": f"127.0.0.1:{os.environ.get('PORT', '0')}"}
    cls = PlainGateway if os.environ["PART"] == "gateway" else ConstantService
    container = ServiceContainer(cls, config)
    container.start()
    print("ready", flush=True)
    container.wait()


if __name__ == "__main__":
    main()
