"""Headers that every answer carries, so that a browser does no more with it than is meant."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Final

PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

SECURITY_HEADERS: Final = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""Strict-Transport-Security is for whoever ends TLS: this service does not."""
RAW_SECURITY_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
"""The same, as ASGI writes headers."""


def docs_policy(page: bytes) -> str:
    """What FastAPI's page of the API needs beyond ours: its one inline script, by hash, and what that loads.

    Swagger UI writes style attributes, so that inline styles must be allowed there.
    """
    hashes = " ".join(f"'sha256-{b64encode(sha256(code).digest()).decode()}'" for code in _INLINE_SCRIPT.findall(page))
    return (
        f"default-src 'none'; script-src https://cdn.jsdelivr.net {hashes}; "
        "style-src https://cdn.jsdelivr.net 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
