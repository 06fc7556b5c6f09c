# SPDX-License-Identifier: Apache-2.0
"""Mair at her own terminal: what she shares, corrects, shortens, pauses, and why somebody saw it.

One story on a real server, by commands; each step builds on the one before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import stat
from collections.abc import Iterator
from importlib.resources import files

import pytest

from clients.demo.deployment import OnSQLite
from clients.demo.server import running
from tests.acceptance.terminal import Ran, Terminal
from tests.world import pdf

STREET, POSTCODE, CORRECTED = "Heol y Bont", "CF10 3NQ", "CF11 9AA"
STATEMENT = "Symudais i ym mis Mai. 日本"
DOCUMENT = pdf(700_000)
WHOLE = "postal_address:postalCode,streetName"
TEXTS = {
    "en": ("Planning your care", "We ask you on paper.", "Call us."),
    "cy": ("Cynllunio eich gofal", "Byddwn yn gofyn i chi ar bapur.", "Ffoniwch ni."),
}


@dataclasses.dataclass(frozen=True)
class Story:
    """What the steps of the story printed."""

    terminal: Terminal
    opened: Ran
    preview: Ran
    disputed: Ran
    fetched_disputed: Ran
    less: Ran
    street: Ran
    paused: Ran
    while_paused: Ran
    resumed: Ran
    after_resuming: Ran
    replaced: Ran
    before: Ran
    now: Ran
    longer: Ran
    refused: Ran
    saved: Ran
    entry: str


def register(terminal: Terminal) -> None:
    """Publish what the council needs, and sign everybody in."""
    terminal.done("sign-in", "--role", "operator", who="operator")
    for kind in ("postal_address", "document"):
        seed = str(files("vault.evidence_types").joinpath(f"{kind}.json"))
        terminal.done("registry", "evidence-type", "publish", seed, who="operator")
    add = ("registry", "organisation", "add", "--name", "en=Aber Council", "--json")
    named = terminal.done(*add, "--contact", "en=dpo@aber.example", who="operator").json
    organisation = named["organisation"]["organisation_id"]
    add = ("registry", "service", "add", organisation, "--name", "en=Home care", "--json")
    service_id = terminal.done(*add, who="operator").json["service"]["service_id"]
    purpose = {
        "purpose_code": "care-at-home",
        "version": 1,
        "bounds": {
            "service_ids": [service_id],
            "dpv_iri": "https://w3id.org/dpv#ServiceProvision",
            "legal_basis": {"code": "LEGAL_BASIS_CODE_PUBLIC_TASK", "statute": "An Act 2014"},
            "evidence": [
                {"evidence_type": "postal_address", "names": ["postalCode", "streetName"]},
                {"evidence_type": "document", "names": ["content", "title"]},
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
                "language": language,
                "title": title,
                "why": f"{title}.",
                "if_refused": if_refused,
                "if_stopped": if_refused,
                "other_ways": other_ways,
                "help_line": "01632 960100",
            }
            for language, (title, if_refused, other_ways) in TEXTS.items()
        ],
    }
    file = terminal.folder / "purpose.json"
    file.write_text(json.dumps(purpose))
    terminal.done("registry", "purpose", "publish", str(file), who="operator")
    terminal.done("sign-in", "--role", "service", "--id", service_id, who="council")
    terminal.done("sign-in", "--role", "citizen", who="mair")


def ask(terminal: Terminal, *more: str) -> tuple[str, str]:
    """Let the council ask; return the link and the request's id."""
    asked = terminal.done("service", "ask", "care-at-home", *more, who="council")
    link = next(line for line in asked.out.splitlines() if line.startswith("http"))
    return link, re.findall(r"service redeem (\S+)", asked.out)[0]


def tell(terminal: Terminal) -> Story:
    """Live through the story."""
    register(terminal)

    def mair(*arguments: str, typed: str = "") -> Ran:
        return terminal.done(*arguments, who="mair", typed=typed)

    address = {"streetName": STREET, "postalCode": POSTCODE, "addressCountry": "GB"}
    add = ("information", "add", "postal_address", "--file", "-", "--json")
    added = mair(*add, typed=json.dumps(address)).json
    piece, then = added["evidence"]["evidence_id"], added["position_token"]
    letter = terminal.folder / "letter.pdf"
    letter.write_bytes(DOCUMENT)
    add = ("document", "add", str(letter), "--set", "title=Letter", "--set", "kind=letter")
    document = mair(*add, "--json").json["evidence"]["evidence_id"]

    often = ("--times", "9", "--every-days", "1", "--keep-days", "30")
    link, request = ask(terminal, "--need", WHOLE, *often)
    other_link, other = ask(terminal, "--need", "document:content")
    opened = mair("request", "open", link, other_link)
    code = re.findall(r"give them this code: (\S+)", opened.out)[0]

    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(days=30)).date().isoformat()
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=60)).date().isoformat()
    choose = ("--choose", "postal_address", "--until", soon)
    preview = mair("share", request, *choose, "--only-show")
    shared = mair("share", request, *choose, "--yes", "--json").json
    sharing = shared["consent"]["consent_id"]
    terminal.done("service", "redeem", request, code, who="council")

    def fetch(wanted: str) -> Ran:
        fetched = ("service", "fetch", "--request", request, wanted, "--json")
        return terminal.run(*fetched, who="council")

    fetch(WHOLE)
    wrong = ("information", "wrong", piece, "postalCode", "--because", "-", "--tell-them")
    disputed = mair(*wrong, typed=STATEMENT)
    bundle = terminal.folder / "bundle.json"
    terminal.done(
        *("service", "fetch", "--request", request, WHOLE, "--bundle", str(bundle)), who="council"
    )
    fetched_disputed = Ran(0, bundle.read_text(), "")
    less = mair("sharing", "less", sharing, "--leave-out", "postal_address:streetName", "--yes")
    street = fetch(WHOLE)
    paused = mair("sharing", "pause", sharing)
    while_paused = fetch("postal_address:postalCode")
    resumed = mair("sharing", "resume", sharing)
    replaced = mair("information", "replace", piece, "--set", f"postalCode={CORRECTED}")
    after_resuming = fetch("postal_address:postalCode")
    seen = mair("seen", "list", "--json").json["entries"]
    saved = str(terminal.folder / "saved.pdf")
    return Story(
        terminal=terminal,
        opened=opened,
        preview=preview,
        disputed=disputed,
        fetched_disputed=fetched_disputed,
        less=less,
        street=street,
        paused=paused,
        while_paused=while_paused,
        resumed=resumed,
        after_resuming=after_resuming,
        replaced=replaced,
        before=mair("information", "list", "--as-of", then),
        now=mair("information", "show", piece),
        longer=mair("sharing", "longer", sharing, "--until", later, "--yes"),
        refused=mair("request", "refuse", other, "--language", "cy"),
        saved=mair("document", "save", document, saved),
        entry=seen[-1]["receipt"]["leaf_index"],
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("citizen")
    data = folder / "data"
    data.mkdir(mode=0o700)
    with running(OnSQLite(data)):
        yield tell(Terminal(folder, data))


pytestmark = pytest.mark.timeout(180)


def test_two_links_are_opened_at_once_and_whose_choice_it_is_is_said(story: Story) -> None:
    assert story.opened.out.count("They need this, but you can send it another way.") == 2
    assert "An Act 2014" in story.opened.out


def test_she_sees_what_would_be_sent(story: Story) -> None:
    for shown in (STREET, POSTCODE, "in the United Kingdom", "Planning your care"):
        assert shown in story.preview.out


def test_what_she_says_is_wrong_goes_out_marked_with_her_words(story: Story) -> None:
    (item,) = json.loads(story.fetched_disputed.out)["items"]
    marks = {field["name"]: field["is_disputed"] for field in item["fields"]}

    assert "These received what you say is wrong" in story.disputed.out
    assert marks == {"postalCode": True, "streetName": False}
    assert [dispute["statement"] for dispute in item["disputes"]] == [STATEMENT]


def test_what_she_leaves_out_is_shown_and_then_refused(story: Story) -> None:
    assert story.less.out.index("Your address: Street") < story.less.out.index("From now on")
    assert json.loads(story.street.err)["error"]["reason"] == "FIELD_NOT_GRANTED"


def test_a_pause_holds_until_she_lets_it_go_on(story: Story) -> None:
    assert json.loads(story.while_paused.err)["error"]["reason"] == "CONSENT_PAUSED"
    assert "Postcode" in story.resumed.out
    assert story.after_resuming.exit_code == 0


def test_replacing_settles_it_and_says_who_has_the_old_one(story: Story) -> None:
    assert "These received an old version" in story.replaced.out
    assert CORRECTED in story.now.out
    assert "you say this is wrong" not in story.now.out


def test_the_past_is_as_it_was(story: Story) -> None:
    printed = " ".join(story.before.out.split())

    assert "As it was on" in printed
    assert "Street, Postcode, Country 1" in printed
    assert "A document" not in printed


def test_only_a_later_end_is_for_longer(story: Story) -> None:
    assert "instead of" in story.longer.out
    assert "You are now sharing this with Aber Council, Home care" in story.longer.out


def test_saying_no_shows_other_ways_in_her_language(story: Story) -> None:
    for shown in ("Byddwn yn gofyn i chi ar bapur.", "Ffoniwch ni.", "01632 960100"):
        assert shown in story.refused.out


def test_a_document_comes_back_byte_for_byte_for_her_alone(story: Story) -> None:
    saved = story.terminal.folder / "saved.pdf"

    assert saved.read_bytes() == DOCUMENT
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert str(saved) in story.saved.out


def test_why_somebody_saw_it_can_be_asked(story: Story) -> None:
    shown = story.terminal.done("seen", "why", story.entry, who="mair")
    told = story.terminal.done("seen", "why", story.entry, "--json", who="mair").json

    assert "These are the very texts that you were shown" in " ".join(shown.out.split())
    assert "Street, Postcode" in shown.out
    assert told["explanation"]["decision_again"] == "DECISION_AGAIN_SAME"


def test_everything_stands_in_her_history_in_her_words(story: Story) -> None:
    ran = story.terminal.done("history", "list", who="mair", COLUMNS="160")

    for happened in (
        *("You said no", "You share for longer", "You let it go on", "You paused sharing"),
        *("You share less", "You said that this is wrong", "Seen by them", "You shared this"),
    ):
        assert happened in ran.out


def test_no_value_of_hers_is_kept_by_the_command_line(story: Story) -> None:
    kept = b"".join(path.read_bytes() for path in (story.terminal.folder / "home").iterdir())

    for value in (STREET, POSTCODE, STATEMENT):
        assert value.encode() not in kept
