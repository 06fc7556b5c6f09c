# SPDX-License-Identifier: Apache-2.0
"""What an exported folder says of the ways to her information."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from clients.export.copy import Copy
from clients.export.form import DESCRIPTION, HISTORY, PAYLOADS, PUBLIC_PAYLOADS, REGISTRY
from clients.wording.words import Words
from vault.api.v1 import vault_pb2

CODE: Final = vault_pb2.SIGN_IN_MEANS_ASSISTANCE_CODE
PROVIDER: Final = vault_pb2.SIGN_IN_MEANS_PROVIDER
LINKED: Final = "sign-in-linked.2"
UNLINKED: Final = "sign-in-unlinked.1"


def a_copy(folder: Path, *records: dict[str, Any]) -> Copy:
    """Return a folder with these facts in its history."""
    for name in (PAYLOADS, PUBLIC_PAYLOADS, REGISTRY):
        (folder / name).write_bytes(b"")
    (folder / DESCRIPTION).write_text("{}", encoding="utf-8")
    acting = {"capacity": "self", "channel": "web"}
    lines = [
        {
            "leaf_index": version,
            "version": version,
            "link": json.dumps({"acting": acting, "items": []}),
            "facts": json.dumps({"time": "2026-03-02T09:00:00.000000Z"} | facts),
        }
        for version, facts in enumerate(records, start=1)
    ]
    (folder / HISTORY).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return Copy(folder, Words("en"))


@pytest.mark.parametrize(
    ("means", "told"), [("assistance-code", CODE), ("provider", PROVIDER)], ids=["code", "sign-in"]
)
def test_a_sign_in_and_a_code_are_told_apart(tmp_path: Path, means: str, told: int) -> None:
    copy = a_copy(
        tmp_path,
        {"type": LINKED, "sign_in": "way", "means": means, "link_code": ""},
        {"type": UNLINKED, "sign_in": "way"},
    )

    assert [line.sign_in.means for line in copy.lines] == [told, told]


def test_the_sign_in_with_which_she_began_is_no_code(tmp_path: Path) -> None:
    copy = a_copy(tmp_path, {"type": UNLINKED, "sign_in": "first"})

    assert [line.sign_in.means for line in copy.lines] == [PROVIDER]


def test_what_is_no_way_is_told_as_none(tmp_path: Path) -> None:
    copy = a_copy(tmp_path, {"type": "vault-opened.1"})

    assert not copy.lines[0].HasField("sign_in")
