# SPDX-License-Identifier: Apache-2.0
"""A citizen, a council and an auditor at their terminals: one story on a real server, by commands.

Each command is a process of its own, as somebody would run it; each step builds on the one before.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from clients.demo.deployment import OnSQLite
from clients.demo.server import running
from tests.acceptance.terminal import ROOT, Ran, Terminal

STREET = "Heol y Bont"
KINDS = ("postal_address", "income")


@dataclasses.dataclass(frozen=True)
class Story:
    """What the steps of the story printed."""

    terminal: Terminal
    vault_id: str
    asked: Ran
    opened: Ran
    shared: Ran
    fetched: Ran
    fetched_many: Ran
    not_granted: Ran
    stopped: Ran
    after_stopping: Ran
    seen: Ran
    judged: str


def register(terminal: Terminal) -> str:
    """Publish what the council needs, and return its service id."""
    folder = terminal.folder
    terminal.done("sign-in", "--role", "operator", who="operator")
    for kind in KINDS:
        seed = str(files("vault.evidence_types").joinpath(f"{kind}.json"))
        terminal.done("registry", "evidence-type", "publish", seed, who="operator")
    names = ("--name", "en=Aber Council", "--name", "cy=Cyngor Aber")
    contact = ("--contact", "en=dpo@aber.example")
    add = ("registry", "organisation", "add", "--json", *names, *contact)
    organisation = terminal.done(*add, who="operator").json["organisation"]["organisation_id"]
    add = ("registry", "service", "add", organisation, "--name", "en=Home care", "--json")
    service_id: str = terminal.done(*add, who="operator").json["service"]["service_id"]
    purpose = {
        "purpose_code": "care-at-home",
        "version": 1,
        "bounds": {
            "service_ids": [service_id],
            "dpv_iri": "https://w3id.org/dpv#ServiceProvision",
            "legal_basis": {"code": "LEGAL_BASIS_CODE_PUBLIC_TASK"},
            "evidence": [
                {"evidence_type": "postal_address", "names": ["postalCode", "streetName"]},
                {"evidence_type": "income", "names": ["amountPence"]},
            ],
            "longest_days": 90,
            "frequency_count": 10,
            "frequency_period_seconds": 86400,
            "retention_days": 30,
            "method": "PROCESSING_METHOD_STORE",
            "storage": "GB",
            "jurisdiction": "GB",
        },
        "texts": [
            {
                "language": "en",
                "title": "Planning your care at home",
                "why": "To plan the help you need.",
                "if_refused": "We ask you on paper.",
                "if_stopped": "Your care goes on.",
                "other_ways": "Call us.",
                "help_line": "01632 960100",
            }
        ],
    }
    (folder / "purpose.json").write_text(json.dumps(purpose))
    publish = ("registry", "purpose", "publish", str(folder / "purpose.json"))
    terminal.done(*publish, who="operator")
    return service_id


def tell(terminal: Terminal) -> Story:
    """Live through the story."""
    service_id = register(terminal)
    terminal.done("sign-in", "--role", "service", "--id", service_id, who="council")
    terminal.done("sign-in", "--role", "citizen", who="mair")
    terminal.done("sign-in", "--role", "auditor", who="auditor")

    address = json.dumps({"streetName": STREET, "postalCode": "CF10 3NQ", "addressCountry": "GB"})
    terminal.done("information", "add", "postal_address", "--file", "-", who="mair", typed=address)
    ask = ("service", "ask", "care-at-home", "--need", "postal_address:postalCode,streetName")
    more = ("--may", "income:amountPence", "--times", "5", "--every-days", "1")
    back = ("--return-uri", "https://aber.example/back")
    asked = terminal.done(*ask, *more, *back, who="council")
    link = next(line for line in asked.out.splitlines() if line.startswith("http"))
    request_id = re.findall(r"service redeem (\S+)", asked.out)[0]

    opened = terminal.done("request", "open", link, who="mair")
    way_back = next(line for line in opened.out.splitlines() if line.startswith("https"))
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(way_back).query)
    number = re.findall(r"citizen-vault share (\S+)", opened.out)[0]
    choose = ("--choose", "postal_address:postalCode,streetName")
    shared = terminal.done("share", number, *choose, "--yes", who="mair")
    redeem = ("service", "redeem", request_id, query["code"][0], "--state", query["state"][0])
    terminal.done(*redeem, who="council")

    receipt = str(terminal.folder / "receipt.json")
    fetch = ("service", "fetch", "--request", request_id)
    wanted = "postal_address:postalCode,streetName"
    fetched = terminal.done(*fetch, wanted, "--receipt", receipt, who="council")
    fetched_many = fetch_many(terminal, request_id)
    not_granted = terminal.run(*fetch, "income:amountPence", who="council")
    sharing = re.findall(r"sharing stop (\S+)", shared.out)[0]
    stopped = terminal.done("sharing", "stop", sharing, who="mair")
    after_stopping = terminal.run(*fetch, wanted, who="council")
    # A refusal is recorded after the reply; her own list catches up with what is committed.
    seen = terminal.done("seen", "list", "--json", who="mair")

    vault_id = terminal.done("whoami", "--json", who="mair").json["vault"]["vault_id"]
    history, registry = (str(terminal.folder / name) for name in ("vault.jsonl", "registry.jsonl"))
    terminal.done("audit", "replay", "--vault", vault_id, "--out", history, who="auditor")
    terminal.done("audit", "replay", "--registry", "--out", registry, who="auditor")
    judged = subprocess.run(
        [
            *(sys.executable, "-m", "clients.auditor", "history", history),
            *("--registry", registry, "--receipt", receipt),
            *("--receipt", json.loads(fetched_many.out)["receipt"]),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return Story(
        terminal=terminal,
        vault_id=vault_id,
        asked=asked,
        opened=opened,
        shared=shared,
        fetched=fetched,
        fetched_many=fetched_many,
        not_granted=not_granted,
        stopped=stopped,
        after_stopping=after_stopping,
        seen=seen,
        judged=judged.stdout,
    )


def fetch_many(terminal: Terminal, request_id: str) -> Ran:
    """Fetch what a request led to, by a file of one line."""
    asked = terminal.done("service", "request", request_id, "--json", who="council").json
    request = asked["consent_request"]
    wanted = {
        "subject_id": request["subject_id"],
        "authority": {"consent_id": request["consent_id"]},
        "purpose_code": "care-at-home",
        "fields": [{"evidence_type": "postal_address", "names": ["postalCode", "streetName"]}],
    }
    file = terminal.folder / "wanted.jsonl"
    file.write_text(json.dumps(wanted), encoding="utf-8")
    out = ("--out", str(terminal.folder / "fetched"), "--json")
    return terminal.done("service", "fetch-many", str(file), *out, who="council")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    data = folder / "data"
    data.mkdir(mode=0o700)
    with running(OnSQLite(data)):
        yield tell(Terminal(folder, data))


pytestmark = pytest.mark.timeout(120)


def test_she_sees_who_asks_and_what_happens_if_she_says_no(story: Story) -> None:
    for shown in ("Aber Council, Home care", "To plan the help you need.", "We ask you on paper."):
        assert shown in story.opened.out


def test_she_sees_what_they_would_see_before_she_shares(story: Story) -> None:
    assert story.shared.out.index(STREET) < story.shared.out.index("You are now sharing")


def test_the_council_gets_what_she_shared_and_a_receipt_that_verifies(story: Story) -> None:
    assert STREET in story.fetched.out
    assert "verified" in story.fetched.out


def test_what_is_fetched_for_many_is_kept_and_verifies_later(story: Story) -> None:
    (kept,) = [json.loads(line) for line in story.fetched_many.out.splitlines()]
    verify = ("service", "verify", kept["receipt"], "--bundle", kept["bundle"])

    assert STREET in Path(kept["bundle"]).read_text(encoding="utf-8")
    assert "batch" in json.loads(Path(kept["receipt"]).read_bytes())
    assert story.terminal.run(*verify, who="council").exit_code == 0


def test_what_she_did_not_share_is_refused(story: Story) -> None:
    assert (story.not_granted.exit_code, story.not_granted.out) == (1, "")


def test_after_she_stopped_nothing_is_fetched(story: Story) -> None:
    assert (story.after_stopping.exit_code, story.after_stopping.out) == (1, "")
    assert "revoked" in story.after_stopping.err


def test_she_sees_the_use_and_every_attempt(story: Story) -> None:
    reasons = [entry["reason"] for entry in story.seen.json["entries"]]

    assert reasons == ["CONSENT_REVOKED", "FIELD_NOT_GRANTED", "", ""]


def test_both_sides_know_the_use_by_the_same_entry(story: Story) -> None:
    entry = story.seen.json["entries"][-1]["receipt"]["leaf_index"]

    assert f"Entry        {entry} of " in story.fetched.out


def test_the_auditor_finds_every_use_allowed(story: Story) -> None:
    assert "Uses: 2" in story.judged
    assert "FAILED" not in story.judged
    assert "2 receipts hold" in story.judged


def test_a_state_of_the_past_can_be_asked_for(story: Story) -> None:
    ran = story.terminal.done("audit", "state", "--vault", story.vault_id, "--json", who="auditor")

    assert [one["state"] for one in ran.json["state"]["consents"]] == ["CONSENT_STATE_REVOKED"]


@pytest.mark.parametrize(
    ("arguments", "who", "exit_code"),
    [
        (("information", "list"), "council", 3),
        (("registry", "service", "list"), "nobody", 3),
        (("information", "show", "00000000-0000-4000-8000-000000000000"), "mair", 1),
        (("information", "add", "postal_address", "--set", "uprn=0"), "mair", 1),
        (("service", "request", "not-an-id"), "council", 1),
        (("audit", "replay", "--vault", "not-an-id", "--out", "/dev/null/x"), "auditor", 2),
        (("registry", "service", "list", "--server", "127.0.0.1:1"), "mair", 4),
    ],
    ids=["role", "nobody", "absent", "schema", "malformed", "file", "unreachable"],
)
def test_a_program_learns_from_the_exit_code(
    story: Story, arguments: tuple[str, ...], who: str, exit_code: int
) -> None:
    ran = story.terminal.run(*arguments, who=who)

    assert (ran.exit_code, ran.out) == (exit_code, "")
    assert ran.err


def test_no_value_of_hers_is_kept_by_the_command_line(story: Story) -> None:
    kept = b"".join(path.read_bytes() for path in (story.terminal.folder / "home").iterdir())

    assert STREET.encode() not in kept
