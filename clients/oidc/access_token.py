# SPDX-License-Identifier: Apache-2.0
"""What an access token says of whoever it was given to (RFC 9068), to choose by what is shown.

Nothing of it is verified here: the vault does that, and judges what is allowed.
"""

from __future__ import annotations

import base64
import json
from typing import Any


def role_in(token: str) -> str:
    """Return the role that it names first; "" if it names none."""
    roles = _claims(token).get("roles")
    return roles[0] if isinstance(roles, list) and roles and isinstance(roles[0], str) else ""


def service_in(token: str) -> str:
    """Return the service for which somebody works; "" if it names none."""
    service_id = _claims(token).get("service_id")
    return service_id if isinstance(service_id, str) else ""


def _claims(token: str) -> dict[str, Any]:
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, LookupError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
