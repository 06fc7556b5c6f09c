# SPDX-License-Identifier: Apache-2.0
"""Where to go on after signing in: to our own pages alone, in the role that they are for."""

from __future__ import annotations

import pytest

from clients.web.here import local_path
from clients.web.sign_in import role_of


@pytest.mark.parametrize(
    "path", ["/", "/sharing", "/requests/2f6a?x=1&y=%2F", "/information/add/income#payer"]
)
def test_our_own_paths_are_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        "",
        "sharing",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "///evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/\r\nLocation: https://evil.example",
        "/ok\nset-cookie: a=b",
        " /sharing",
        "/" + "a" * 600,
        "/é",
    ],
)
def test_everything_else_leads_to_the_start(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/staff", "staff"),
        ("/staff?show=all", "staff"),
        ("/staff/ask/home-visits", "staff"),
        ("/help/open", "official"),
        ("/staffing", "citizen"),
        ("/sharing?back=/staff/", "citizen"),
        ("/", "citizen"),
        ("", "citizen"),
    ],
)
def test_who_wants_to_go_to_a_page_signs_in_in_its_role(path: str, role: str) -> None:
    assert role_of(path) == role
