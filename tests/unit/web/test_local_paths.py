# SPDX-License-Identifier: Apache-2.0
"""A parameter that says where to go on leads nowhere but to our own pages."""

from __future__ import annotations

import pytest

from clients.web.here import local_path


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
