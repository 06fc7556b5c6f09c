# SPDX-License-Identifier: Apache-2.0
"""Citizens read their own words, in both languages, whatever they do and whatever goes wrong."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import grpc
import pytest
from rich.cells import cell_len

from clients.cli.output import Output
from clients.wording.words import LANGUAGES, Words, catalogue
from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.error_reason_pb2 import ErrorReason

OURS = re.compile(
    r"vault|grant|disclos|subject|consent|revoke|revocation|narrow|evidence|receipt", re.IGNORECASE
)
AUDITORS = "explain."
PROGRAM = re.compile(r"citizen-vault\b")
CLIENTS = Path(__file__).parents[3] / "clients"
SOURCES = [path for room in ("cli", "export", "wording") for path in CLIENTS.glob(f"{room}/*.py")]

SHARE = (
    "share",
    "c0",
    "--choose",
    "postal_address:postalCode",
    "--this-version",
    "--until",
    "2026-11-30",
)

COMMANDS = {
    "information start": ("information", "start"),
    "information kinds": ("information", "kinds"),
    "information add": (
        *("information", "add", "postal_address"),
        *("--set", "postalCode=CF10 3NQ", "--set", "addressCountry=GB"),
    ),
    "information list": ("information", "list"),
    "information show": ("information", "show", "a0"),
    "information replace": ("information", "replace", "a0", "--set", "streetName=Stryd"),
    "information list --as-of": ("information", "list", "--as-of", "2020-01-01"),
    "information wrong": ("information", "wrong", "a0", "postalCode", "--because", "It is old."),
    "information settle": ("information", "settle", "a0", "corrected"),
    "document add": ("document", "add", "letter.pdf", "--set", "title=A", "--set", "kind=letter"),
    "document list": ("document", "list"),
    "document replace": ("document", "replace", "a1", "letter.pdf"),
    "document save": ("document", "save", "a1", "saved.pdf"),
    "request open": ("request", "open", "https://vault.example/asked/a-token"),
    "request open --several": ("request", "open", "one", "two"),
    "request list": ("request", "list"),
    "request list --as-of": ("request", "list", "--as-of", "2020-01-01"),
    "request show": ("request", "show", "c0"),
    "request refuse": ("request", "refuse", "c0"),
    "request answer without anybody": ("request", "answer"),
    "share": (*SHARE, "--yes"),
    "share without a yes": SHARE,
    "sharing list": ("sharing", "list"),
    "sharing list --as-of": ("sharing", "list", "--as-of", "2020-01-01"),
    "sharing show": ("sharing", "show", "d0"),
    "sharing less": ("sharing", "less", "d0", "--leave-out", "postal_address:streetName", "--yes"),
    "sharing longer": ("sharing", "longer", "d0", "--until", "2999-01-31", "--yes"),
    "sharing pause": ("sharing", "pause", "d0"),
    "sharing resume": ("sharing", "resume", "d0"),
    "sharing stop": ("sharing", "stop", "d0"),
    "seen list": ("seen", "list"),
    "seen why": ("seen", "why", str(world.ENTRY)),
    "history list": ("history", "list"),
    "confirmation show": ("confirmation", "show", str(world.ENTRY)),
    "help-code create": ("help-code", "create"),
    "help-code list": ("help-code", "list"),
    "help-code close": ("help-code", "close", "a3"),
    "contact show": ("contact", "show"),
    "contact set": ("contact", "set", "--email", "mair@example.org", "--mute", "first-use"),
    "information protect": ("information", "protect", "a0"),
    "information unprotect": ("information", "unprotect", "a0"),
    "sign-ins list": ("sign-ins", "list"),
    "sign-ins code": ("sign-ins", "code", "--yes"),
    "sign-ins link": ("sign-ins", "link", "ABCDE-FGHJK-MNPQR-STVWX"),
    "sign-ins close": ("sign-ins", "close", "a6"),
    "sign-ins end-all": ("sign-ins", "end-all"),
    "passkey add": ("passkey", "add", "passkey.json", "--yes"),
    "passkey list": ("passkey", "list"),
    "passkey remove": ("passkey", "remove", "a5"),
    "whoami": ("whoami",),
}

REASONS = [
    name.removeprefix("ERROR_REASON_")
    for name in ErrorReason.keys()  # noqa: SIM118 - an enum of protobuf, not a dict
    if name != "ERROR_REASON_UNSPECIFIED"
]


USAGE = {"share without a yes", "request answer without anybody"}


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    her_things.fill(server, is_disputed=True)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "letter.pdf").write_bytes(her_things.CONTENT)
    (folder / "passkey.json").write_text(json.dumps(her_things.A_CREDENTIAL))
    monkeypatch.chdir(folder)


def ours_in(ran: Ran) -> list[str]:
    printed = PROGRAM.sub("", ran.out + ran.err)
    return OURS.findall(printed)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_ours_is_printed(name: str, terminal: Terminal) -> None:
    ran = terminal.run(*COMMANDS[name])

    assert ran.exit_code == (2 if name in USAGE else 0), ran.err
    assert ours_in(ran) == []


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_wider_than_the_terminal(
    name: str, language: str, server: FakeServer, terminal: Terminal
) -> None:
    (answer,) = server.answers["ListOrganisations"]
    for text in answer.organisations[0].name:  # type: ignore[union-attr]
        text.text = "日本橋の市役所 " * 3

    ran = terminal.run(*COMMANDS[name], "--language", language)

    printed = (ran.out + ran.err).splitlines()
    # What is to be copied stays whole.
    whole = re.compile("citizen-vault |https://")
    assert [one for one in printed if cell_len(one) > 80 and not whole.search(one)] == []


@pytest.mark.parametrize(("language", "typed"), [("en", "s\ny\ny\n\ny\n"), ("cy", "n\n")])
def test_no_word_of_ours_is_in_a_visit(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, language: str, typed: str
) -> None:
    monkeypatch.setattr(Output, "is_interactive", property(lambda _: True))

    ran = terminal.run("request", "answer", "--language", language, typed=typed)

    assert ran.exit_code == 0, ran.err
    assert ours_in(ran) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_ours_is_in_the_help(name: str, terminal: Terminal) -> None:
    words = re.split(" without | --", name)[0].split()

    assert ours_in(terminal.run(*words, "--help")) == []


@pytest.mark.parametrize("reason", REASONS)
def test_no_word_of_ours_is_in_an_error(
    reason: str, server: FakeServer, terminal: Terminal
) -> None:
    message = "This consent was revoked."
    server.says("ListEvidence", Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, message))

    ran = terminal.run("information", "list")

    assert ran.exit_code == 1
    assert ran.err
    assert ours_in(ran) == []


def test_the_texts_hold_no_word_of_ours() -> None:
    texts = {
        key: PROGRAM.sub("", text["en"])
        for key, text in catalogue().items()
        if not key.startswith(AUDITORS)
    }

    assert {key: text for key, text in texts.items() if OURS.search(text)} == {}


def test_every_text_is_there_in_every_language() -> None:
    assert {key for key, text in catalogue().items() if set(text) != set(LANGUAGES)} == set()


def test_every_language_fills_in_the_same_values() -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    texts = catalogue()
    assert {key for key in texts if places(texts[key]["en"]) != places(texts[key]["cy"])} == set()


def test_every_text_that_is_looked_up_exists() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    looked_up = set(re.findall(r"""words\(\s*["']([a-zA-Z._]+)["'][,)]""", source))

    assert looked_up
    assert looked_up - catalogue().keys() == set()


def test_every_text_is_used() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    families = set(re.findall(r'f"([a-z.]+)\.\{', source)) | set(
        re.findall(r'one_of\("([a-z.]+)"', source)
    )
    texts = catalogue()
    unused = {
        key
        for key in texts
        # A text for officials stands in for another.
        if not (key.startswith("assist.") and key.removeprefix("assist.") in texts)
        and not re.search(rf"""["']{re.escape(key)}["']""", source)
        and key.rpartition(".")[0] not in families
    }

    assert unused == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_can_be_read_in_welsh(name: str, terminal: Terminal) -> None:
    ran = terminal.run(*COMMANDS[name], "--language", "cy")

    assert ran.exit_code == (2 if name in USAGE else 0), ran.err
    assert "Aber Council" not in ran.out


def test_a_text_that_is_not_there_in_welsh_is_said_to_be_english(
    server: FakeServer, terminal: Terminal
) -> None:
    world.publish(server, "en")

    ran = terminal.run("request", "show", "c0", "--language", "cy")

    assert "why en" in ran.out
    assert Words("cy")("only.english") in ran.err


def test_nothing_is_said_of_english_where_all_is_welsh(terminal: Terminal) -> None:
    ran = terminal.run("request", "show", "c0", "--language", "cy")

    assert ran.err == ""


def test_a_language_that_is_not_there_is_a_usage_error(terminal: Terminal) -> None:
    ran = terminal.run("information", "list", "--language", "fr")

    assert ran.exit_code == 2
    assert "Cymraeg" in ran.err
