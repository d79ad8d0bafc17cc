"""Drives Firefox without a driver program: Selenium's commands go over Marionette, Firefox's own socket for them.

Marionette has the commands of W3C WebDriver under names of its own; a message is `length:[type, number, name, data]`.
"""

import json
import socket
from typing import Any

from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection

_HOST = "127.0.0.1"
_ANSWER_SECONDS = 120
_NAMES = {
    Command.ADD_COOKIE: "AddCookie",
    Command.CLEAR_ELEMENT: "ElementClear",
    Command.CLICK_ELEMENT: "ElementClick",
    Command.FIND_CHILD_ELEMENTS: "FindElements",
    Command.GET: "Navigate",
    Command.GET_ELEMENT_ATTRIBUTE: "GetElementAttribute",
    Command.GET_ELEMENT_PROPERTY: "GetElementProperty",
    Command.GET_ELEMENT_TAG_NAME: "GetElementTagName",
    Command.IS_ELEMENT_ENABLED: "IsElementEnabled",
    Command.IS_ELEMENT_SELECTED: "IsElementSelected",
    Command.NEW_SESSION: "NewSession",
    Command.QUIT: "DeleteSession",
    Command.SCREENSHOT: "TakeScreenshot",
    Command.SEND_KEYS_TO_ELEMENT: "ElementSendKeys",
    Command.SET_WINDOW_RECT: "SetWindowRect",
    Command.W3C_ACTIONS: "PerformActions",
    Command.W3C_CLEAR_ACTIONS: "ReleaseActions",
    Command.W3C_EXECUTE_SCRIPT: "ExecuteScript",
    Command.W3C_GET_CURRENT_WINDOW_HANDLE: "GetWindowHandle",
}


class Marionette(RemoteConnection):
    """Selenium's connection to the Firefox whose Marionette listens on this port."""

    def __init__(self, port: int) -> None:
        super().__init__(client_config=ClientConfig(remote_server_addr=f"http://{_HOST}:{port}"))
        self._socket = socket.create_connection((_HOST, port), timeout=_ANSWER_SECONDS)
        self._received = self._socket.makefile("rb")
        self._number = 0
        self._read()  # it greets

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Sends a command and returns the answer, which has a `status` if it is an error."""
        self._number += 1
        message = json.dumps([0, self._number, f"WebDriver:{_NAMES[command]}", _data(command, params)])
        self._socket.sendall(f"{len(message)}:{message}".encode())
        _, _, error, value = self._read()
        if error:
            return {"status": 500, "value": json.dumps({"value": error})}
        return {"value": value["value"] if isinstance(value, dict) and [*value] == ["value"] else value}

    def close(self) -> None:
        """Ends the connection."""
        self._received.close()
        self._socket.close()

    def _read(self) -> Any:
        length = b"".join(iter(lambda: self._received.read(1), b":"))
        return json.loads(self._received.read(int(length)))


def _data(command: str, params: dict[str, Any]) -> dict[str, Any]:
    """What Marionette expects: capabilities without their alternatives, the parent of a search as `element`."""
    if command == Command.NEW_SESSION:
        return dict(params["capabilities"]["alwaysMatch"])
    return {**params, "element": params["id"]} if command == Command.FIND_CHILD_ELEMENTS else params
