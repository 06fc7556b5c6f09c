# SPDX-License-Identifier: Apache-2.0
"""Gwen has no computer: an official helps her at a counter, a council asks, an auditor looks later.

One story on a real server, by commands; each step builds on the one before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from clients.demo.deployment import OnSQLite
from clients.demo.server import running
from tests.acceptance.terminal import Ran, Terminal
from tests.world import pdf

STREET = "Heol y Bont"
STATEMENT = "I moved in October."
ADDRESS = ("postal_address:postalCode,streetName",)
LONG = "We need it to plan who comes to see you, when they come, what they bring with them, how "
LONG += "long they stay, and what they do while they are there with you."


def a_purpose(service_id: str) -> str:
    return json.dumps(
        {
            "purpose_code": "care-at-home",
            "version": 1,
            "bounds": {
                "service_ids": [service_id],
                "dpv_iri": "https://w3id.org/dpv#ServiceProvision",
                "legal_basis": {"code": "LEGAL_BASIS_CODE_PUBLIC_TASK"},
                "evidence": [
                    {"evidence_type": "postal_address", "names": ["postalCode", "streetName"]},
                    {"evidence_type": "document", "names": ["content"]},
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
                    "why": LONG,
                    "if_refused": "We ask you on paper.",
                    "if_stopped": "Your care goes on.",
                    "other_ways": "Call us.",
                    "help_line": "01632 960100",
                }
            ],
        }
    )


@dataclasses.dataclass(frozen=True)
class Story:
    """What the steps of the story printed."""

    terminal: Terminal
    code: str
    vault_id: str
    document: bytes
    letter: str
    tried: Ran
    validated: Ran
    exceeded: Ran
    shared: Ran
    checked: Ran
    fetched: Ran
    fetched_file: bytes
    while_paused: Ran
    check_while_paused: Ran
    longer: Ran
    fetched_after: Ran
    changes: list[str]
    later: Ran
    cancelled: Ran
    history: Ran
    explained: Ran
    then: Ran
    now: Ran
    closed: Ran


def register(terminal: Terminal) -> tuple[str, Ran]:
    """Publish what the council needs; return its service id, and what was said in trying."""
    terminal.done("sign-in", "--role", "operator", who="operator")
    for kind in ("postal_address", "document"):
        seed = str(files("vault.evidence_types").joinpath(f"{kind}.json"))
        terminal.done("registry", "evidence-type", "publish", seed, who="operator")
    names = ("--name", "en=Aber Council", "--contact", "en=dpo@aber.example", "--json")
    organisation = terminal.done("registry", "organisation", "add", *names, who="operator")
    organisation_id = organisation.json["organisation"]["organisation_id"]
    add = ("registry", "service", "add", organisation_id, "--name", "en=Home care", "--json")
    service_id: str = terminal.done(*add, who="operator").json["service"]["service_id"]
    publish = ("registry", "purpose", "publish", "-")
    purpose = a_purpose(service_id)
    tried = terminal.done(*publish, "--validate-only", who="operator", typed=purpose)
    terminal.done(*publish, who="operator", typed=purpose)
    return service_id, tried


def asking(terminal: Terminal) -> tuple[str, str]:
    """Let the council ask by short code; return that and the request's id."""
    need = ("--need", *ADDRESS, "--may", "document:content", "--times", "9", "--every-days", "1")
    ask = ("service", "ask", "care-at-home", *need, "--keep-days", "30", "--short-code", "--json")
    asked = terminal.done(*ask, who="council").json
    return asked["short_code"], asked["consent_request"]["consent_request_id"]


def tell(terminal: Terminal) -> Story:  # noqa: PLR0915 - told from beginning to end
    """Live through the story."""
    folder = terminal.folder
    service_id, tried = register(terminal)
    terminal.done("sign-in", "--role", "service", "--id", service_id, who="council")
    terminal.done("sign-in", "--role", "official", who="jones")
    terminal.done("sign-in", "--role", "auditor", who="auditor")

    letter = folder / "letter.txt"
    counter = {"CITIZEN_VAULT_CHANNEL": "counter"}
    opening = ("assist", "open", "--letter", str(letter), "--json")
    opened = terminal.done(*opening, who="jones", **counter)
    code = re.findall(r"[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}", letter.read_text())[0]
    counter["CITIZEN_VAULT_ASSISTANCE_CODE"] = code
    by_letter = {**counter, "CITIZEN_VAULT_CHANNEL": "letter"}

    def help_her(*arguments: str, typed: str = "") -> Ran:
        return terminal.done("assist", *arguments, who="jones", typed=typed, **counter)

    address = json.dumps({"streetName": STREET, "postalCode": "CF10 3NQ", "addressCountry": "GB"})
    help_her("information", "add", "postal_address", "--file", "-", typed=address)
    document = pdf(300_000)
    (folder / "plan.pdf").write_bytes(document)
    told = ("--set", "title=Plan", "--set", "kind=care_plan")
    help_her("document", "add", str(folder / "plan.pdf"), *told)

    ask = ("service", "ask", "care-at-home", "--need", *ADDRESS, "--validate-only")
    validated = terminal.done(*ask, who="council")
    exceeded = terminal.run(*ask, "--keep-days", "9999", who="council")
    short_code, request_id = asking(terminal)
    help_her("request", "open", short_code)
    choose = ("--choose", *ADDRESS, "--choose", "document:content", "--until", a_day_soon())
    shared = help_her("share", request_id, *choose, "--yes")
    consent_id = help_her("sharing", "list", "--json").json["consents"][0]["consent_id"]

    under = ("--request", request_id)
    checked = terminal.done("service", "check", *ADDRESS, *under, who="council")
    file = str(folder / "fetched.pdf")
    terminal.done("service", "fetch-document", "--out", file, *under, who="council")
    pieces = help_her("information", "list", "--json").json["evidence"]
    piece = next(one for one in pieces if one["evidence_type"] == "postal_address")
    wrong = ("information", "wrong", piece["evidence_id"], "streetName", "--tell-them")
    help_her(*wrong, "--because", STATEMENT)
    fetched = terminal.done("service", "fetch", *ADDRESS, *under, who="council")

    help_her("sharing", "pause", consent_id)
    while_paused = terminal.run("service", "fetch", *ADDRESS, *under, who="council")
    check_while_paused = terminal.run("service", "check", *ADDRESS, *under, who="council")
    help_her("sharing", "resume", consent_id)
    longer = terminal.run(
        *("assist", "sharing", "longer", consent_id, "--until", a_day_soon(60), "--yes"),
        who="jones",
        **counter,
    )
    help_her("sharing", "less", consent_id, "--leave-out", "document:content", "--yes")
    stop = ("assist", "sharing", "stop", consent_id)
    terminal.done(*stop, who="jones", **by_letter)
    gone = str(folder / "gone.pdf")
    fetched_after = terminal.run(
        *("service", "fetch-document", "--out", gone, *under), who="council"
    )

    cursor = str(folder / "cursor")
    changes = terminal.done("service", "changes", "--cursor-file", cursor, "--json", who="council")
    _, another = asking(terminal)
    cancelled = terminal.done("service", "cancel", another, who="council")
    later = terminal.done("service", "changes", "--cursor-file", cursor, "--json", who="council")

    history = help_her("history", "list", "--json", "--limit", "0")
    vault_id = opened.json["vault"]["vault_id"]
    used = [one for one in history.json["entries"] if one["type"] == "evidence-disclosed.1"]
    version = ("--version", str(used[0]["version"]))
    audited = ("--vault", vault_id)
    explained = terminal.done("audit", "explain", *audited, *version, who="auditor")
    state = ("audit", "state", *audited, "--json")
    then = terminal.done(*state, "--as-of", used[0]["time"], who="auditor")
    now = terminal.done(*state, who="auditor")
    help_her("help-code", "close", "--yes")
    closed = terminal.run("assist", "information", "list", who="jones", **counter)
    return Story(
        terminal=terminal,
        code=code,
        vault_id=vault_id,
        document=document,
        letter=letter.read_text(),
        tried=tried,
        validated=validated,
        exceeded=exceeded,
        shared=shared,
        checked=checked,
        fetched=fetched,
        fetched_file=Path(file).read_bytes(),
        while_paused=while_paused,
        check_while_paused=check_while_paused,
        longer=longer,
        fetched_after=fetched_after,
        changes=kinds_in(changes),
        later=later,
        cancelled=cancelled,
        history=history,
        explained=explained,
        then=then,
        now=now,
        closed=closed,
    )


def a_day_soon(days: int = 30) -> str:
    return (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)).isoformat()


def kinds_in(changes: Ran) -> list[str]:
    lines = [json.loads(line) for line in changes.out.splitlines()]
    return [
        one["kind"].removeprefix("CONSENT_CHANGE_KIND_")
        for line in lines
        for one in line["changes"]
    ]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("assisted")
    data = folder / "data"
    data.mkdir(mode=0o700)
    with running(OnSQLite(data)):
        yield tell(Terminal(folder, data))


pytestmark = pytest.mark.timeout(180)


def test_who_publishes_reads_what_would_be_better_before_it_is_published(story: Story) -> None:
    assert "texts (cy): There is no text in this language." in story.tried.err
    assert "texts[0].why (en): A sentence has more than 25 words." in story.tried.err
    assert "Nothing was published" in story.tried.out


def test_her_letter_tells_in_both_languages_what_the_code_is(story: Story) -> None:
    assert story.letter.count(story.code) == 2
    assert "How to close it" in story.letter
    assert "Sut i'w gau" in story.letter


def test_a_request_can_be_tried_before_she_is_disturbed(story: Story) -> None:
    assert "Nobody was asked" in story.validated.out
    assert (story.exceeded.exit_code, story.exceeded.out) == (1, "")
    assert "retention_days" in story.exceeded.err


def test_she_hears_what_they_would_see_before_it_is_shared(story: Story) -> None:
    assert story.shared.out.index(STREET) < story.shared.out.index("You are now sharing")


def test_the_service_fetches_what_would_be_permitted(story: Story) -> None:
    assert "yes" in story.checked.out
    assert STREET in story.fetched.out
    assert story.fetched_file == story.document


def test_what_she_says_is_wrong_goes_out_marked_with_her_words(story: Story) -> None:
    assert "DISPUTED" in story.fetched.out
    assert STATEMENT in story.fetched.out


def test_while_it_is_paused_nothing_comes_and_a_check_says_so(story: Story) -> None:
    assert (story.while_paused.exit_code, story.while_paused.out) == (1, "")
    assert "paused" in story.while_paused.err
    assert story.check_while_paused.exit_code == 1
    assert "consent paused" in story.check_while_paused.out


def test_nobody_shares_for_longer_in_her_place(story: Story) -> None:
    assert story.longer.exit_code == 3
    assert "They have to do it themselves" in story.longer.err


def test_after_her_letter_no_document_comes(story: Story) -> None:
    assert (story.fetched_after.exit_code, story.fetched_after.out) == (1, "")
    assert not (story.terminal.folder / "gone.pdf").exists()


def test_the_service_hears_of_everything_once_in_order(story: Story) -> None:
    assert story.changes == ["GRANTED", "PAUSED", "RESUMED", "NARROWED", "REVOKED"]
    assert kinds_in(story.later) == ["CANCELLED"]
    assert "cancelled" in story.cancelled.out


def test_every_event_says_who_acted_for_her_and_how(story: Story) -> None:
    lines = story.history.json["entries"]
    by_official = [one["acting"] for one in lines if not one["type"].startswith("disclosure-")]
    by_official = [one for one in by_official if one["capacity"] != "CAPACITY_SERVICE"]

    assert {one["capacity"] for one in by_official} == {"CAPACITY_OFFICIAL"}
    assert {one["channel"] for one in by_official} == {"CHANNEL_COUNTER", "CHANNEL_LETTER"}
    assert len({one["mandate_id"] for one in by_official}) == 1
    approvals = {one["type"]: one["approval_kind"] for one in lines}
    assert approvals["consent-granted.1"] == "APPROVAL_KIND_STAFF_ASSISTED"
    # Stopping needs no proof, and none is claimed.
    assert approvals["consent-revoked.1"] == "APPROVAL_KIND_UNSPECIFIED"


def test_the_auditor_reads_why_it_left_and_the_rules_say_the_same(story: Story) -> None:
    assert LONG[:40] in " ".join(story.explained.out.split())
    assert "The same." in story.explained.out
    assert "postal_address" in story.explained.out
    assert STREET not in story.explained.out


def test_the_auditor_sees_what_was_true_then_and_what_is_true_now(story: Story) -> None:
    states = [ran.json["state"]["consents"][0]["state"] for ran in (story.then, story.now)]

    assert states == ["CONSENT_STATE_ACTIVE", "CONSENT_STATE_REVOKED"]


def test_a_closed_code_opens_nothing(story: Story) -> None:
    assert (story.closed.exit_code, story.closed.out) == (1, "")
    assert "was closed" in " ".join(story.closed.err.split())


def test_her_code_stands_in_her_letter_alone(story: Story) -> None:
    holding = [
        path.name
        for path in story.terminal.folder.rglob("*")
        if path.is_file() and story.code.encode() in path.read_bytes()
    ]

    assert holding == ["letter.txt"]
