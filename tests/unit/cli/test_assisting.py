# SPDX-License-Identifier: Apache-2.0
"""An official acts for somebody with her code: the event says so, and the code stays nowhere."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.cli.assistance import CHANNELS
from clients.wording.words import LANGUAGES, Words, catalogue
from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from tests.unit.cli.test_cli_tree import COMMANDS
from vault.api.v1 import consent_service_pb2 as consents
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults

ROOT = Path(__file__).parents[3]
CODE = "K7QMX-2XWPA-9TRNB-4HJKC"
COUNTER = ("--channel", "counter", "--code", CODE)
SHARE = ("assist", "share", "c0", "--choose", "postal_address:postalCode", "--yes")

FOR_HER = {
    "information add": ("information", "add", "postal_address", "--set", "postalCode=CF10 3NQ"),
    "information list": ("information", "list"),
    "information show": ("information", "show", "a0"),
    "request list": ("request", "list"),
    "request show": ("request", "show", "c0"),
    "request open": ("request", "open", "K7QM-2XWP"),
    "request refuse": ("request", "refuse", "c0"),
    "share": SHARE[1:],
    "preview": (*SHARE[1:-1], "--only-show"),
    "sharing list": ("sharing", "list"),
    "sharing show": ("sharing", "show", "d0"),
    "sharing less": ("sharing", "less", "d0", "--until", "2026-12-01", "--yes"),
    "sharing pause": ("sharing", "pause", "d0"),
    "sharing resume": ("sharing", "resume", "d0"),
    "sharing stop": ("sharing", "stop", "d0"),
    "seen list": ("seen", "list"),
    "history list": ("history", "list"),
    "help-code list": ("help-code", "list"),
    "help-code close": ("help-code", "close", "--yes"),
}


def a_vault(*ways: str) -> vault_pb2.Vault:
    return vault_pb2.Vault(
        vault_id=world.VAULT,
        open_time=world.NOW,
        sign_ins=[
            vault_pb2.SignIn(sign_in_id=way, means=1, link_time=world.NOW)
            for way in ways or (world.SUBJECT,)
        ],
    )


@pytest.fixture(autouse=True)
def _official(server: FakeServer, terminal: Terminal) -> None:
    world.fill(server)
    receipt = world.a_receipt()
    server.says("OpenVault", vaults.OpenVaultResponse(vault=a_vault(), assistance_code=CODE))
    server.says("GetVault", vaults.GetVaultResponse(vault=a_vault()))
    server.says("UnlinkSignIn", vaults.UnlinkSignInResponse(vault=a_vault()))
    server.says(
        "RefuseConsent",
        consents.RefuseConsentResponse(consent_request=world.a_request(4), receipt=receipt),
    )
    paused, active = world.a_consent(4), world.a_consent()
    server.says("NarrowConsent", consents.NarrowConsentResponse(consent=active, receipt=receipt))
    server.says("PauseConsent", consents.PauseConsentResponse(consent=paused, receipt=receipt))
    server.says("ResumeConsent", consents.ResumeConsentResponse(consent=active, receipt=receipt))
    terminal.sign_in("jones", "official")


def actings(server: FakeServer) -> list[vault_pb2.Acting]:
    asked: list[Any] = [request for _, request in server.asked]
    return [one.acting for one in asked if "acting" in one.DESCRIPTOR.fields_by_name]


@pytest.mark.parametrize("name", FOR_HER)
def test_every_call_says_for_whom_by_which_channel_and_code(
    name: str, server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("assist", *FOR_HER[name], *COUNTER)

    expected = vault_pb2.Acting(
        capacity=vault_pb2.CAPACITY_OFFICIAL,
        channel=vault_pb2.CHANNEL_COUNTER,
        assistance_code=CODE,
    )
    assert ran.exit_code == 0, ran.err
    assert actings(server)
    assert [one for one in actings(server) if one != expected] == []


@pytest.mark.parametrize("name", FOR_HER)
def test_the_code_is_printed_nowhere(name: str, terminal: Terminal) -> None:
    terminal.environment["CITIZEN_VAULT_ASSISTANCE_CODE"] = CODE
    terminal.environment["CITIZEN_VAULT_CHANNEL"] = "phone"

    shown = terminal.run("assist", *FOR_HER[name], "--explain")
    told = terminal.run("assist", *FOR_HER[name], "--json")

    assert (shown.exit_code, told.exit_code) == (0, 0), told.err
    assert CODE not in shown.out + shown.err + told.out + told.err
    kept = b"".join(path.read_bytes() for path in terminal.state.home.iterdir())
    assert CODE.encode() not in kept


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_channel_is_told_as_it_is(channel: str, server: FakeServer, terminal: Terminal) -> None:
    terminal.run("assist", "information", "list", "--channel", channel, "--code", CODE)

    assert {one.channel for one in actings(server)} == {
        vault_pb2.Channel.Value(f"CHANNEL_{channel.upper()}")
    }


@pytest.mark.parametrize("channel", [(), ("--channel", "web")])
def test_without_a_channel_of_ours_nothing_is_asked(
    server: FakeServer, terminal: Terminal, channel: tuple[str, ...]
) -> None:
    ran = terminal.run("assist", "information", "list", "--code", CODE, *channel)

    assert ran.exit_code == 2
    assert server.asked == []


def test_without_a_code_and_nobody_to_ask_nothing_is_asked(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("assist", "information", "list", "--channel", "phone")

    assert ran.exit_code == 2
    assert "CITIZEN_VAULT_ASSISTANCE_CODE" in ran.err
    assert server.asked == []


@pytest.mark.timeout(60)
def test_a_code_that_is_typed_at_the_question_is_not_seen(
    server: FakeServer, terminal: Terminal
) -> None:
    above, below = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", "assist", "request", "list", "--channel", "phone"],
        cwd=ROOT,
        stdin=below,
        stdout=subprocess.PIPE,
        stderr=below,
        start_new_session=True,
        env={**os.environ, **terminal.environment, "CITIZEN_VAULT_AS": "jones"},
    )
    while termios.tcgetattr(below)[3] & termios.ECHO:
        time.sleep(0.01)
    os.write(above, f"{CODE}\n".encode())
    out, _ = process.communicate(timeout=30)
    os.close(below)
    seen = b""
    try:
        while piece := os.read(above, 4096):
            seen += piece
    except OSError:
        os.close(above)

    assert process.returncode == 0
    assert {one.assistance_code for one in actings(server)} == {CODE}
    assert b"The code that they gave you:" in seen
    assert CODE.encode() not in seen + out


@pytest.mark.parametrize(
    ("told", "kind", "proof"),
    [
        (("--channel", "counter"), vault_pb2.APPROVAL_KIND_STAFF_ASSISTED, b""),
        (("--channel", "phone"), vault_pb2.APPROVAL_KIND_STAFF_ASSISTED, b""),
        (
            ("--channel", "phone", "--reference", "call 7"),
            vault_pb2.APPROVAL_KIND_STAFF_ASSISTED,
            b"call 7",
        ),
        (("--channel", "letter", "--reference", "L/9"), vault_pb2.APPROVAL_KIND_PAPER, b"L/9"),
    ],
)
@pytest.mark.parametrize(
    ("command", "method"),
    [
        (SHARE, "GrantConsent"),
        (("assist", "request", "refuse", "c0"), "RefuseConsent"),
        (("assist", "sharing", "resume", "d0"), "ResumeConsent"),
    ],
)
def test_what_shows_that_she_agreed_goes_with_a_decision(
    server: FakeServer,
    terminal: Terminal,
    *,
    command: tuple[str, ...],
    method: str,
    told: tuple[str, ...],
    kind: int,
    proof: bytes,
) -> None:
    ran = terminal.run(*command, "--code", CODE, *told)

    (decided,) = server.requests(method)
    assert ran.exit_code == 0, ran.err
    assert (decided.approval.kind, decided.approval.proof) == (kind, proof)


def test_a_letter_that_is_not_named_decides_nothing(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run(*SHARE, "--channel", "letter", "--code", CODE)

    assert ran.exit_code == 2
    assert "--reference" in ran.err
    assert server.requests("GrantConsent") == []


@pytest.mark.parametrize("name", ["sharing stop", "sharing pause", "sharing less"])
def test_a_stop_needs_no_letter(name: str, terminal: Terminal) -> None:
    ran = terminal.run("assist", *FOR_HER[name], "--channel", "letter", "--code", CODE)

    assert ran.exit_code == 0, ran.err


def test_herself_proves_nothing_more_than_her_sign_in(
    server: FakeServer, terminal: Terminal
) -> None:
    terminal.run(*SHARE[1:], "--as", "mair")

    (granted,) = server.requests("GrantConsent")
    assert not granted.HasField("approval")
    assert granted.acting == vault_pb2.Acting(channel=vault_pb2.CHANNEL_CLI)


def test_a_short_code_is_claimed_without_a_link(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("assist", "request", "open", "k7qm 2xwp", *COUNTER)

    (claimed,) = server.requests("ClaimRequest")
    assert (claimed.short_code, claimed.handoff_token) == ("k7qm 2xwp", "")
    assert "Aber Council" in ran.out


def test_a_link_is_claimed_as_she_would(server: FakeServer, terminal: Terminal) -> None:
    link = f"http://127.0.0.1:8000/asked/{world.REQUEST}.{'x' * 43}"

    terminal.run("assist", "request", "open", link, *COUNTER)

    (claimed,) = server.requests("ClaimRequest")
    assert (claimed.short_code, claimed.handoff_token) == ("", f"{world.REQUEST}.{'x' * 43}")


def test_sharing_for_longer_is_hers_alone_and_the_reason_is_told(
    server: FakeServer, terminal: Terminal
) -> None:
    refusal = Refusal(grpc.StatusCode.PERMISSION_DENIED, "CAPACITY_NOT_ALLOWED", "Not for her.")
    server.says("ExtendConsent", refusal)
    longer = ("assist", "sharing", "longer", "d0", "--until", "2027-01-31", "--yes", *COUNTER)

    ran, told = terminal.run(*longer), terminal.run(*longer, "--json")

    assert (ran.exit_code, ran.out) == (3, "")
    assert "They have to do it themselves" in ran.err
    assert json.loads(told.err)["error"]["reason"] == "CAPACITY_NOT_ALLOWED"


def test_an_official_makes_no_place_in_passing(server: FakeServer, terminal: Terminal) -> None:
    not_open = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VAULT_NOT_OPEN")
    server.says("ProvideEvidence", not_open)

    ran = terminal.run("assist", *FOR_HER["information add"], *COUNTER)

    assert ran.exit_code == 1
    assert server.requests("OpenVault") == []


def test_a_code_that_is_not_right_is_told_as_such(server: FakeServer, terminal: Terminal) -> None:
    server.says("ListEvidence", Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"))

    ran = terminal.run("assist", "information", "list", *COUNTER)

    assert (ran.exit_code, ran.out) == (1, "")
    assert "the code is not right, or was closed" in " ".join(ran.err.split())


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_letter_tells_her_in_both_languages_what_the_code_is_and_how_to_close_it(
    server: FakeServer, terminal: Terminal, channel: str
) -> None:
    ran = terminal.run("assist", "open", "--channel", channel)

    (opened,) = server.requests("OpenVault")
    assert opened.acting.capacity == vault_pb2.CAPACITY_OFFICIAL
    assert opened.acting.assistance_code == ""
    assert ran.exit_code == 0
    assert [line.strip() for line in ran.out.splitlines()].count(CODE) == 2
    for language in LANGUAGES:
        words = Words(language)
        for key in ("letter.what", "letter.keep", "letter.close"):
            assert words(key) in ran.out
        begin = words(f"letter.made.{channel}", date="").strip().rpartition(".")[0]
        assert begin.rpartition(".")[2].strip()[:20] in " ".join(ran.out.split())


def test_her_language_stands_first(terminal: Terminal) -> None:
    ran = terminal.run("assist", "open", "--channel", "counter", "--language", "cy")

    assert ran.out.index(Words("cy")("letter.close")) < ran.out.index(Words("en")("letter.close"))


def test_a_letter_in_a_file_is_the_only_place_of_the_code(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "letter.txt"

    ran = terminal.run("assist", "open", "--channel", "counter", "--letter", str(file), "--json")

    assert ran.exit_code == 0, ran.err
    assert CODE in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert CODE not in ran.out + ran.err
    assert json.loads(ran.out)["vault"]["vault_id"] == world.VAULT


@pytest.mark.parametrize("kept", ["none", "there", "no folder"])
def test_a_code_that_could_not_be_kept_is_not_made(
    server: FakeServer, terminal: Terminal, tmp_path: Path, kept: str
) -> None:
    there = tmp_path / "letter.txt"
    there.write_text("an earlier one")
    letter = {
        "none": (),
        "there": ("--letter", str(there)),
        "no folder": ("--letter", str(tmp_path / "missing" / "letter.txt")),
    }[kept]

    ran = terminal.run("assist", "open", "--channel", "counter", "--json", *letter)

    assert ran.exit_code == 2
    assert server.requests("OpenVault") == []
    assert there.read_text() == "an earlier one"


def test_a_code_is_closed_after_a_warning(server: FakeServer, terminal: Terminal) -> None:
    unasked = terminal.run("assist", "help-code", "close", *COUNTER)
    asked = terminal.run("assist", "help-code", "close", *COUNTER, "--yes")

    (closed,) = server.requests("UnlinkSignIn")
    assert (unasked.exit_code, asked.exit_code) == (2, 0)
    assert closed.sign_in_id == world.SUBJECT


def test_one_of_several_codes_is_named(server: FakeServer, terminal: Terminal) -> None:
    server.says("GetVault", vaults.GetVaultResponse(vault=a_vault(world.SUBJECT, world.SERVICE)))

    unnamed = terminal.run("assist", "help-code", "close", *COUNTER, "--yes")
    named = terminal.run("assist", "help-code", "close", "f0", *COUNTER, "--yes")
    none = terminal.run("assist", "help-code", "close", "00", *COUNTER, "--yes")

    assert (unnamed.exit_code, named.exit_code, none.exit_code) == (2, 0, 1)
    assert "e0000000, made on 22 Nov 2026" in " ".join(unnamed.err.split())
    assert [one.sign_in_id for one in server.requests("UnlinkSignIn")] == [world.SERVICE]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_officials_read_is_theirs(language: str) -> None:
    words = Words(language, is_assisted=True)
    texts = {key: words.maybe(key) for key in catalogue() if not key.startswith("assist.")}
    named = {
        found
        for text in texts.values()
        for found in re.findall(r"citizen-vault ([a-z-]+(?: [a-z-]+){0,2})", text)
    }

    theirs = {" ".join(path[:end]) for path in COMMANDS for end in range(2, len(path) + 1)}
    known = {one for one in theirs if one.startswith("assist ")} | {"whoami"}
    assert "assist sharing stop" in named
    assert {one for one in named if one not in known and not one.startswith("sign-in")} == set()
