# SPDX-License-Identifier: Apache-2.0
"""The kinds of browsers that pages are tried in, as settings of Playwright's `new_context`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from playwright.sync_api import Page

DESKTOP: Final[Mapping[str, Any]] = {"viewport": {"width": 1280, "height": 900}}
MOBILE: Final[Mapping[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
NO_JS: Final[Mapping[str, Any]] = {**DESKTOP, "java_script_enabled": False}
MOBILE_NO_JS: Final[Mapping[str, Any]] = {**MOBILE, "java_script_enabled": False}

OpenPage = Callable[..., Page]
"""Opens a page in a browser of one kind, with cookies of its own."""

SignIn = Callable[..., Page]
"""Signs somebody in on a page, and returns it."""
