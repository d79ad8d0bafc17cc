"""Devices: a long-lived signed cookie identifies a browser, so that accounts that signed in with it are recognized.

The cookie signs nobody in. Membership knows which accounts and members a device has signed in, and binds SMS
codes to it.
"""

import hashlib
from typing import Any
from uuid import uuid4

from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Request, Response

_SECONDS = 365 * 24 * 3600


class Devices:
    """Reads and writes the cookie; its key is derived from the secret of the sessions."""

    def __init__(self, secret: str, *, secure: bool) -> None:
        self._signer = URLSafeSerializer(secret, salt="device", signer_kwargs={"digest_method": hashlib.sha256})
        self._secure = secure

    @property
    def cookie(self) -> str:
        """The cookie's name; with its prefix, browsers accept it from this host over HTTPS only."""
        return "__Host-device" if self._secure else "device"

    def id_in(self, request: Request) -> str | None:
        """Returns the device that the cookie names; None when it is missing or forged."""
        try:
            return str(self._signer.loads(request.cookies.get(self.cookie, "")))
        except BadSignature:
            return None

    def new_id(self) -> str:
        """Returns an id for a device that has none yet."""
        return str(uuid4())

    def keep(self, response: Response, device_id: str) -> None:
        """Sets the cookie, or extends it for another year."""
        attributes: dict[str, Any] = {"secure": self._secure, "httponly": True, "samesite": "Strict", "path": "/"}
        response.set_cookie(self.cookie, str(self._signer.dumps(device_id)), max_age=_SECONDS, **attributes)
