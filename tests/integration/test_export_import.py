# SPDX-License-Identifier: Apache-2.0
"""She takes everything away, anybody verifies it, and she goes on elsewhere from where it ended."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from clients.cli.state import SignIn, State
from clients.export.copy import Copy
from clients.export.page import page_of
from clients.receipts import unb64
from clients.wording.words import Words
from tests.samples import exported, importing
from tests.server import ROOT, Server, running
from tests.verdict import head
from tests.world import INCOME, Citizen, World, assisted, connected, new_id, pdf
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import vault_service_pb2 as vaults
from vault.application.exported import MOST_RECORDS
from vault.store.record import entry_of
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.proof import InclusionProof

STATEMENT: Final = "I left that house <b>in May</b>."


@dataclass
class Home:
    """Where a citizen types, signed in at one server."""

    server: Server
    citizen: Citizen
    folder: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        token = self.server.issuer.token("citizen", self.citizen.sub)
        self.folder.mkdir(exist_ok=True)
        sign_in = SignIn(
            "her", "citizen", self.citizen.sub, "https://x.example", token, 4_000_000_000
        )
        State(self.folder).keep_sign_in(sign_in)
        ours = {name: value for name, value in os.environ.items() if "VAULT" not in name}
        return subprocess.run(
            [sys.executable, "-m", "clients.cli", *arguments],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            env={
                **ours,
                "CITIZEN_VAULT_HOME": str(self.folder),
                "CITIZEN_VAULT_TARGET": self.server.target,
                **environment,
            },
        )


@dataclass
class Taken:
    """What was taken away, and from whom."""

    world: World
    citizen: Citizen
    home: Home
    folder: Path
    document: bytes
    told: str

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a file."""
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, world: World, server: Server) -> Taken:
    """She gave, changed, shared, stopped, said that something is wrong; then she took it away."""
    citizen = world.citizen()
    document = pdf(200_000)
    world.upload(citizen, document)
    replaced = {**INCOME, "amountPence": 91_000}
    citizen.caller.ask(
        "EvidenceService/ReplaceEvidence",
        evidence.ReplaceEvidenceRequest(
            request_id=new_id(),
            evidence_id=citizen.evidence["income"],
            values=json.dumps(replaced).encode(),
            source=1,
            issued_date="2026-04-06",
        ),
    )
    shared = world.share(citizen, world.council)
    assert world.disclose(shared).is_ok
    world.revoke(shared)
    world.disclose(shared)
    world.share(citizen, world.council)
    citizen.caller.ask(
        "EvidenceService/DisputeEvidence",
        evidence.DisputeEvidenceRequest(
            request_id=new_id(),
            evidence_id=citizen.evidence["postal_address"],
            names=["streetName"],
            statement=STATEMENT,
        ),
    )
    folder = tmp_path_factory.mktemp("taken")
    home = Home(server, citizen, folder / "home")
    ran = home.run("export", "--out", str(folder / "all"))
    assert ran.returncode == 0, ran.stderr
    return Taken(world, citizen, home, folder / "all", document, ran.stdout)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Another deployment."""
    server = Server(tmp_path_factory.mktemp("elsewhere"))
    server.settings["CITIZEN_VAULT_DEPLOYMENT"] = "elsewhere.example"
    with running(server), connected(server.target) as channel:
        yield World(server, channel)


def auditor(*arguments: str) -> dict[str, Any]:
    """Run the auditor's program, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "clients.auditor", *arguments, "--json"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# --- Taking away


def test_it_holds_everything_and_is_hers_alone(taken: Taken) -> None:
    described = json.loads((taken.folder / "export.json").read_bytes())
    history = taken.lines("history.jsonl")

    assert described["form"] == "citizen-vault/export/1"
    assert described["vault_id"] == taken.citizen.vault_id
    assert [line["version"] for line in history] == list(range(1, described["version"] + 1))
    assert described["log_keys"]
    assert stat.S_IMODE(taken.folder.stat().st_mode) == 0o700
    (file,) = (taken.folder / "documents").iterdir()
    assert file.read_bytes() == taken.document
    assert taken.lines("operations.jsonl")
    assert "Everything that is kept about you is now in" in taken.told


def test_every_record_has_a_proof(taken: Taken) -> None:
    records = [
        (json.loads(line["link"])["origin"], line["leaf_index"])
        for name in ("history.jsonl", "registry.jsonl", "operations.jsonl")
        for line in taken.lines(name)
    ]
    proofs = {
        (line["origin"], line["leaf_index"]): line["proof"] for line in taken.lines("proofs.jsonl")
    }

    assert set(proofs) == set(records)
    assert all(proof.startswith("c2sp.org/tlog-proof@v1\n") for proof in proofs.values())


def test_the_auditors_program_opens_and_verifies_it(taken: Taken) -> None:
    answer = auditor("history", str(taken.folder))

    assert answer["findings"] == []
    assert answer["finding_count"] == 0
    assert answer["version"] == len(taken.lines("history.jsonl"))
    assert answer["payloads"]["opened"]["evidence"] == 4
    assert answer["proved"]["unproved"] == 0


def test_a_changed_payload_is_found(taken: Taken, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    subprocess.run(["cp", "-r", str(taken.folder), str(changed)], check=True)
    lines = (changed / "payloads.jsonl").read_text().splitlines()
    line = json.loads(lines[3])
    at = 40 if line["sealed"][40] != "A" else 41
    line["sealed"] = line["sealed"][:at] + "A" + line["sealed"][at + 1 :]
    lines[3] = json.dumps(line)
    (changed / "payloads.jsonl").write_text("\n".join(lines) + "\n")

    assert auditor("history", str(changed))["verdict"] == "FAILED"


class _Page(HTMLParser):
    """The words of a page, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.language = self.language or given.get("lang") or ""
        self.loads += [str(given[name]) for name in ("src", "data", "srcset") if name in given]
        self.loads += [tag] * (tag in {"script", "link", "iframe", "b"})
        if tag == "a":
            self.links.append(str(given["href"]))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: Path) -> _Page:
    parsed = _Page()
    parsed.feed(page.read_text("utf-8"))
    return parsed


def test_the_page_says_who_saw_what_and_why_in_her_words(taken: Taken) -> None:
    page = read(taken.folder / "index.html")
    text = "\n".join(page.text)

    assert page.language == "en"
    for told in (
        "Who saw your information, and who tried",
        "Aber Council, Discharge team",
        "Planning your care",
        "They tried and were refused: you had stopped sharing.",
        "£910.00",
        "£886.20",
        "6 Apr 2026",
        "Letter from the hospital",
        STATEMENT,
    ):
        assert told in text, told
    for ours in ("vault", "consent", "disclosure", "subject", "evidence", "grant", "receipt"):
        assert ours not in text.lower().replace("citizen-vault-auditor", "").replace(
            "granted", ""
        ), ours


def page_with(
    folder: Path, place: Path, language: str, change: Callable[[dict[str, Any]], None]
) -> str:
    """Return the text of a folder's page as if its proofs had been others."""
    copied = place / language
    shutil.copytree(folder, copied)
    proofs = copied / "proofs.jsonl"
    changed = [json.loads(line) for line in proofs.read_bytes().splitlines()]
    for line in changed:
        change(line)
    proofs.write_text("".join(json.dumps(line) + "\n" for line in changed))
    words = Words(language)
    copy = Copy(copied, words)
    session: Any = SimpleNamespace(words=words, published=copy.published)
    page = page_of(session, copy)
    parsed = _Page()
    parsed.feed(page)
    shutil.rmtree(copied)
    return "\n".join(parsed.text)


def cosigned(line: dict[str, Any]) -> None:
    """Let a witness have signed."""
    proof = InclusionProof.parse(line["proof"].encode())
    signer = CosignatureSigner("checker.example", bytes(32))
    signature = signer.cosign(Checkpoint.parse(proof.note.text), 1)
    note = proof.note.adding(signature)
    line["proof"] = InclusionProof(proof.index, proof.path, note).encode().decode()


ALONE: Final = "No independent checker has signed this."


def test_the_page_says_who_signed(taken: Taken, tmp_path: Path) -> None:
    def told(change: Callable[[dict[str, Any]], None], language: str = "en") -> str:
        return page_with(taken.folder, tmp_path, language, change)

    one = taken.lines("history.jsonl")[0]["leaf_index"]

    def but_one(line: dict[str, Any]) -> None:
        if line["leaf_index"] != one:
            cosigned(line)

    def unsigned(line: dict[str, Any]) -> None:
        line["proof"] = "" if line["leaf_index"] == one else line["proof"]

    assert ALONE in "\n".join(read(taken.folder / "index.html").text)
    assert "these have signed every entry: checker.example." in told(cosigned)
    assert ALONE not in told(cosigned)
    # Of one entry it has not: then it is as if it had of none.
    assert ALONE in told(but_one)
    assert "Nobody has signed all of this" in told(unsigned)
    assert "Nid oes unrhyw wiriwr annibynnol wedi llofnodi hwn." in told(lambda _: None, "cy")


def test_the_page_loads_nothing_and_leads_to_what_is_there(taken: Taken) -> None:
    page = read(taken.folder / "index.html")

    assert page.loads == []
    for link in page.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in (taken.folder / "index.html").read_text("utf-8")
        else:
            assert (taken.folder / link).is_file()


def test_the_page_is_in_welsh_if_she_likes(taken: Taken, tmp_path: Path) -> None:
    ran = taken.home.run("export", "--out", str(tmp_path / "all"), "--language", "cy")

    page = read(tmp_path / "all" / "index.html")
    assert ran.returncode == 0
    assert page.language == "cy"
    assert "Pwy welodd eich gwybodaeth, a phwy geisiodd" in page.text


def test_it_is_never_written_over_anything(taken: Taken) -> None:
    before = (taken.folder / "history.jsonl").read_bytes()

    ran = taken.home.run("export", "--out", str(taken.folder))

    assert ran.returncode == 2
    assert (taken.folder / "history.jsonl").read_bytes() == before


def test_a_stream_that_breaks_off_leaves_nothing(taken: Taken, tmp_path: Path) -> None:
    from clients.cli import export_folder  # noqa: PLC0415
    from clients.cli.errors import CommandError  # noqa: PLC0415
    from clients.wording.words import Words  # noqa: PLC0415

    parts = exported(taken.citizen)
    words = Words("en")

    for count in (0, 1, len(parts) // 2, len(parts) - 1):
        with (
            pytest.raises(CommandError),
            export_folder.new_folder(str(tmp_path / "all"), words) as folder,
        ):
            export_folder.write(folder, parts[:count], words, lambda _: None)

    assert list(tmp_path.iterdir()) == []


def test_her_own_export_is_no_event_and_an_officials_is(world: World) -> None:
    mair = world.citizen()
    world.assist(mair)
    before = head(world.server)
    exported(mair)
    assert head(world.server) == before

    answer = world.official.call(
        "VaultService/ExportVault", vaults.ExportVaultRequest(acting=assisted(mair))
    )

    parts = [vaults.ExportVaultResponse.FromString(data) for data in answer.answers]
    last = [part.record for part in parts if part.WhichOneof("part") == "record"][-1]
    facts = json.loads(last.facts)
    assert (facts["type"], facts["what"]) == ("vault-read.1", "export")


# --- Going on elsewhere


@pytest.fixture
def home(elsewhere: World, tmp_path: Path) -> Home:
    """Where she types at the other deployment; she has no vault there."""
    return Home(elsewhere.server, elsewhere.stranger(), tmp_path / "home")


def test_it_goes_on_from_the_old_head_and_verifies(
    taken: Taken, home: Home, tmp_path: Path
) -> None:
    old = json.loads((taken.folder / "export.json").read_bytes())

    ran = home.run("import", str(taken.folder))
    again = home.run("import", str(taken.folder), "--json")
    out = home.run("export", "--out", str(tmp_path / "all"))

    assert (ran.returncode, again.returncode, out.returncode) == (0, 0, 0), ran.stderr
    assert "It is here now: 4 things that you gave there." in ran.stdout
    assert "You shared there with" in ran.stdout
    assert "Aber Council, Discharge team: Planning your care" in " ".join(ran.stdout.split())
    assert json.loads(again.stdout)["carried_count"] == 4
    answer = auditor("history", str(tmp_path / "all"))
    assert answer["findings"] == []
    facts = [
        json.loads(json.loads(line)["facts"])
        for line in (tmp_path / "all" / "history.jsonl").read_bytes().splitlines()
    ]
    assert [one["type"] for one in facts] == [
        "vault-opened.1",
        "vault-imported.1",
        "evidence-provided.1",
        "evidence-provided.1",
        "evidence-replaced.1",
        "evidence-provided.1",
    ]
    (continued,) = answer["continues"]
    assert (continued["origin"], continued["vault"]) == (old["origin"], old["vault_id"])
    assert (continued["version"], continued["leaf"]) == (old["version"], old["leaf"])
    imported = facts[1]
    assert imported["origin"] == old["origin"] != "elsewhere.example/0"
    assert (imported["vault"], imported["version"]) == (old["vault_id"], old["version"])
    assert imported["leaf"] == old["leaf"]
    assert (imported["evidence"], imported["consents"]) == (4, 1)
    assert (facts[4]["changed"], facts[4]["issued_date"]) == (["amountPence"], "2026-04-06")
    assert facts[5]["source"] == "document"
    (file,) = (tmp_path / "all" / "documents").iterdir()
    assert file.read_bytes() == taken.document
    page = "\n".join(read(tmp_path / "all" / "index.html").text)
    assert "What you gave elsewhere was brought here" in page
    assert "£910.00" in page
    # Under keys of its own: nothing that opened it there opens it here.
    keys = [
        {json.loads(line)["key"] for line in (folder / "payloads.jsonl").read_bytes().splitlines()}
        for folder in (taken.folder, tmp_path / "all")
    ]
    assert keys[0] & keys[1] <= {""}


def test_nothing_is_shared_by_it(taken: Taken, home: Home) -> None:
    assert home.run("import", str(taken.folder)).returncode == 0

    listed = home.run("sharing", "list", "--json")

    assert json.loads(listed.stdout).get("consents", []) == []


def test_what_is_not_known_there_is_left_behind_and_named(world: World, tmp_path: Path) -> None:
    server = Server(tmp_path / "bare")
    mair = world.citizen()
    parts = exported(mair)
    with running(server), connected(server.target) as channel:
        # No kind of information is published there.
        bare = World.__new__(World)
        bare.server, bare.channel = server, channel
        stranger = bare.stranger()
        stranger.caller.ask("VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id()))

        answer = stranger.caller.ask("VaultService/ImportVault", importing(parts))

    assert answer.carried_count == 0
    assert answer.left_behind_count == len(answer.left_behind)
    assert {(one.evidence_type, one.reason) for one in answer.left_behind} == {
        ("postal_address", vaults.LEFT_BEHIND_REASON_TYPE_UNKNOWN),
        ("income", vaults.LEFT_BEHIND_REASON_TYPE_UNKNOWN),
    }


def test_one_that_broke_off_goes_on(world: World, elsewhere: World) -> None:
    """As after a crash between two of its events: the head stands, nothing else does."""
    parts = exported(world.citizen())
    whole, half = elsewhere.citizen(), elsewhere.citizen()
    messages = importing(parts)
    first = whole.caller.ask("VaultService/ImportVault", messages)
    assert half.caller.ask("VaultService/ImportVault", messages).carried_count == 2

    again = whole.caller.ask("VaultService/ImportVault", messages)

    assert again.receipt == first.receipt
    assert again.carried_count == first.carried_count
    request = vaults.ListHistoryRequest(page_size=100)
    types = [one.type for one in whole.caller.ask("VaultService/ListHistory", request).entries]
    assert types.count("vault-imported.1") == 1
    assert types.count("evidence-provided.1") == 4


def test_a_later_export_of_the_same_is_refused(world: World, elsewhere: World) -> None:
    mair, there = world.citizen(), elsewhere.citizen()
    there.caller.ask("VaultService/ImportVault", importing(exported(mair)))
    world.provide(mair, "bank_account", {"sortCode": "070116", "accountNumber": "33333334"})

    answer = there.caller.call("VaultService/ImportVault", importing(exported(mair)))

    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "EXPORT_INVALID")


Change = Callable[[list[vaults.ImportVaultRequest], random.Random], None]


def places(messages: list[vaults.ImportVaultRequest], kind: str) -> list[int]:
    return [at for at, one in enumerate(messages) if one.WhichOneof("part") == kind]


def flip(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def flip_in(kind: str, name: str) -> Change:
    """Return what flips a bit of a field in some message of a kind."""

    def change(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
        there = [
            at
            for at in places(messages, kind)
            if kind == "chunk" or getattr(getattr(messages[at], kind), name)
        ]
        message = messages[dice.choice(there)]
        if kind == "chunk":
            message.chunk = flip(message.chunk, dice)
        else:
            inner = getattr(message, kind)
            setattr(inner, name, flip(getattr(inner, name), dice))

    return change


def lose(kind: str) -> Change:
    """Return what leaves out some message of a kind."""

    def change(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
        del messages[dice.choice(places(messages, kind))]

    return change


def swap(kind: str) -> Change:
    """Return what lets two messages of a kind change places, beside one record none."""

    def change(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
        records = places(messages, "record")
        while True:
            a, b = sorted(dice.sample(places(messages, kind), 2))
            if kind == "record" or any(a < at < b for at in records):
                messages[a], messages[b] = messages[b], messages[a]
                return

    return change


def cut(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
    """End the stream early."""
    del messages[dice.randrange(1, len(messages) - 1) :]


def rewrite(at: Callable[[int, random.Random], int]) -> Change:
    """Return what writes a record anew, its entry with it: by itself it is sound."""

    def change(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
        there = places(messages, "record")
        record = messages[there[at(len(there), dice)]].record
        facts = json.loads(record.facts)
        facts["salt"] = facts["salt"][::-1]
        record.facts = json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()
        record.entry = entry_of(record.link + b"\n" + record.facts)

    return change


def shorten(messages: list[vaults.ImportVaultRequest], dice: random.Random) -> None:
    """Say that the history ended before it did."""
    messages[0].header.version -= 1 + dice.randrange(2)


CHANGES: Final[dict[str, Change]] = {
    "link": flip_in("record", "link"),
    "facts": flip_in("record", "facts"),
    "entry": flip_in("record", "entry"),
    "sealed": flip_in("payload", "sealed"),
    "key": flip_in("payload", "key"),
    "document": flip_in("chunk", ""),
    "record lost": lose("record"),
    "payload lost": lose("payload"),
    "document lost": lose("document"),
    "chunk lost": lose("chunk"),
    "records swapped": swap("record"),
    "payloads swapped": swap("payload"),
    "rewritten": rewrite(lambda count, dice: dice.randrange(count - 1)),
    "rewritten at the end": rewrite(lambda count, _: count - 1),
    "tail cut": cut,
    "head": shorten,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_on_the_way_changes_nothing(
    name: str, taken: Taken, elsewhere: World
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - of what is random
    dice = random.Random(seed)
    honest = importing(exported(taken.citizen))
    there = elsewhere.citizen()
    before = head(elsewhere.server)

    for number in range(5):
        messages = copy.deepcopy(honest)
        CHANGES[name](messages, dice)

        answer = there.caller.call("VaultService/ImportVault", messages)

        assert answer.code == "INVALID_ARGUMENT", (seed, number, answer.code, answer.message)
        assert answer.reason in {"EXPORT_INVALID", "DOCUMENT_INVALID"}, (seed, number)
        assert head(elsewhere.server) == before


def test_one_import_of_a_caller_runs_at_once(world: World, elsewhere: World) -> None:
    there, other = elsewhere.citizen(), elsewhere.citizen()
    messages = [one.SerializeToString() for one in importing(exported(world.citizen()))]
    begun, done = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield messages[0]
        begun.set()
        assert done.wait(20)
        yield from messages[1:]

    first = there.caller.begin("VaultService/ImportVault", slowly())
    assert begun.wait(20)
    # It holds its place from when the server has begun to listen.
    deadline = time.monotonic() + 10
    again = importing(exported(world.citizen()))
    while (answer := there.caller.call("VaultService/ImportVault", again[:1])).reason != (
        "LIMIT_EXCEEDED"
    ):
        assert time.monotonic() < deadline, answer

    assert other.caller.call("VaultService/ImportVault", again).is_ok
    done.set()
    assert vaults.ImportVaultResponse.FromString(first.result()).carried_count == 2
    assert there.caller.call("VaultService/ImportVault", again).is_ok


def test_too_many_records_are_told_at_once(elsewhere: World) -> None:
    header = vaults.ImportHeader(
        request_id=new_id(),
        vault_id=new_id(),
        origin="test/0",
        version=MOST_RECORDS + 1,
        leaf_hash=bytes(32),
    )

    answer = elsewhere.citizen().caller.call(
        "VaultService/ImportVault", [vaults.ImportVaultRequest(header=header)]
    )

    assert answer.reason == "LIMIT_EXCEEDED"


def test_a_folder_that_is_none_is_told(home: Home, tmp_path: Path) -> None:
    ran = home.run("import", str(tmp_path))

    assert ran.returncode == 2
    assert "is not a whole folder as it was taken away" in " ".join(ran.stderr.split())


def test_digests_in_the_folder_are_of_what_stands_there(taken: Taken) -> None:
    """Who reads the form by the decision page alone finds each digest where it says."""
    marks = {
        (line["leaf_index"], mark["kind"]): mark["hash"]
        for line in taken.lines("history.jsonl")
        for mark in json.loads(line["link"])["payloads"]
    }
    lines = taken.lines("payloads.jsonl")

    assert {(line["leaf_index"], line["kind"]) for line in lines} == set(marks)
    for line in lines:
        if line["kind"] != "document":
            found = hashlib.sha256(unb64(line["sealed"])).digest()
            assert found == unb64(marks[line["leaf_index"], line["kind"]])
