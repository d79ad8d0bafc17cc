"""Security headers of every response: common ones, and a Content-Security-Policy each for the API and for pages."""

from werkzeug.wrappers import Response

NO_PAGE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Browsers never render an answer of the API as a page, whatever it contains."""

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "frame-src blob:",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Scripts, styles, sound and videos come only from our own files; frames are for a register's print preview."""

PAGE = {"Content-Security-Policy": PAGE_POLICY}
"""The header of a response that is a page or a part of one."""

_ALL = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NO_PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in (
            "accelerometer",
            "browsing-topics",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "publickey-credentials-get",
            "serial",
            "usb",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def secure(response: Response, *, by_https: bool) -> None:
    """Adds the headers that the response does not set itself; `by_https` if browsers must use HTTPS."""
    own = {name.lower() for name, _ in response.headers}
    for name, value in {**_ALL, **(_HTTPS_ONLY if by_https else {})}.items():
        if name.lower() not in own:
            response.headers.add(name, value)
