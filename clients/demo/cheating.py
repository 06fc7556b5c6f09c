# SPDX-License-Identifier: Apache-2.0
"""Chapters 7 to 9: three cheats, by whoever runs everything. Each is found, and it is told by what.

Each takes place on a copy, on which a server is started again as if nothing had happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.connection import Connection
from clients.demo import asking, checker
from clients.demo.checker import Kept, LogReport, Report
from clients.demo.counter import DISCLOSED
from clients.demo.deployment import Deployment
from clients.demo.people import CHECKER, MAIR
from clients.demo.provider import ADDRESS, question
from clients.demo.server import running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story, count
from clients.demo.taking_away import take_away
from clients.demo.things import things_of
from clients.demo.witness import NAME, Trust
from clients.demo.wording import clock, moment
from vault.api.v1.vault_pb2 import HistoryEntry


@dataclass(frozen=True, slots=True)
class Copies:
    """What the stopped server stands on, whose history is looked at, and what the checker knows.

    Attributes:
        earlier: a copy from before BrightCare saw anything.
        kept: what was kept of the log, before anybody cheated.
        provider_keys: the keys of the provider by which she signs in.
    """

    deployment: Deployment
    earlier: Deployment
    vault_id: str
    kept: Kept
    trust: Trust
    provider_keys: Path
    listener: Listener | None

    @property
    def folder(self) -> Path:
        """Return the folder beside which copies lie."""
        return self.deployment.data.parent

    @contextmanager
    def opened(self, deployment: Deployment, *, is_witnessed: bool = True) -> Iterator[Stage]:
        """Run a server on a copy, with the witness that there is or without."""
        policy = self.trust.policy if is_witnessed else None
        with running(deployment, policy) as server, Stage(server, self.listener) as stage:
            yield stage


def remove_a_use(story: Story, copies: Copies, uses: tuple[HistoryEntry, ...]) -> Report:
    """Tell chapter 7: one recorded use is removed; return what the checker says of it."""
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    # One use, and its repeats if there were any.
    hidden = [use for use in uses if use.type == DISCLOSED and use.service_id == team.service_id]
    entries = [use.receipt.leaf_index for use in hidden]
    screen.begin("Now we cheat")
    screen.say(
        "On a copy of the database, with every right on it, we remove the entry that says that "
        f"{team.organisation} saw her address, and start the server again."
    )
    cheated = copies.deployment.copy("cheated")
    for use in hidden:
        lane = int(use.receipt.origin.rpartition("/")[2])
        removed = cheated.remove(lane, use.receipt.leaf_index)
        expect.equal("entries and records that are removed", removed[:2], (1, 1))
    with copies.opened(cheated) as stage:
        left = count(_mair(stage), story.directory, story.typing.answers)
        expect.equal("who saw any of it, says her list", left.seen_by, _others(story))
        replayed = checker.replay(_nia(stage), copies.vault_id, copies.folder / "cheated-replay")
    report = checker.judge(replayed, [use.receipt for use in uses])
    expect.equal("the checker's verdict", report.verdict, "FAILED")
    gap = next(finding for finding in report.findings if finding.where.stream == "vault")
    expect.equal("the place that is empty", gap.where.version, hidden[0].version)
    expect.true("it says that something is missing", came="missing" in gap.what)
    missing = [held for held in report.receipts if not held.holds]
    expect.equal("confirmations without an entry", [held.leaf_index for held in missing], entries)
    about = missing[0].about
    said = DISCLOSED in about and team.service_id in about and "postal_address" in about
    expect.true("it says what is missing", came=said)
    time = clock(moment(hidden[0].time))
    screen.blank()
    screen.facts(
        [
            ("Removed", f"entry {entries[0]}, and all that lay beside it"),
            ("Her list now says", f"seen by {', '.join(left.seen_by)}, and nobody else"),
            ("The checker says", report.verdict),
            ("Where", f"{gap.what}: {gap.why}"),
            ("What", f"{team.organisation} ({hidden[0].staff_ref}) saw her address at {time}"),
            ("How it knows", "each entry names the one before it, and Nia kept the confirmations"),
        ]
    )
    return report


def sign_another_history(story: Story, copies: Copies) -> LogReport:
    """Tell chapter 8: a history in which it never happened is signed with the real key."""
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    screen.begin("Now we cheat better")
    screen.say(
        f"We go back to a copy from before {team.organisation} saw anything, keys and all, and let "
        "another history grow from there. Beside the witness the server would refuse to sign it. "
        "Without, it signs with its real key: nothing is missing, and every entry fits."
    )
    rewritten = copies.folder / "rewritten.jsonl"
    with copies.opened(copies.earlier, is_witnessed=False) as stage:
        left = count(_mair(stage), story.directory, story.typing.answers)
        expect.equal("who saw any of it, says her list", left.seen_by, _others(story))
        nia = _nia(stage)
        # Until it is as long as the one that was signed before.
        while checker.log_size(nia, copies.vault_id) < copies.kept.size:
            pass
        head = checker.replay_log(nia, rewritten)
    signers = [line.split()[1] for line in head.splitlines() if line.startswith("\u2014 ")]
    expect.equal("who signs it", signers, [copies.trust.log_key.partition("+")[0]])
    alone = checker.judge_log(rewritten, None, copies.trust)
    expect.equal("what is wrong with it by itself", alone.findings, ())
    report = checker.judge_log(rewritten, copies.kept, copies.trust)
    expect.equal("the checker's verdict", report.verdict, "FAILED")
    against = next(finding for finding in report.findings if "witness" in finding.what)
    screen.blank()
    screen.facts(
        [
            ("Her list now says", f"seen by {', '.join(left.seen_by)}, and nobody else"),
            ("Signed by", f"the server, with its real key; not by {NAME}, the witness"),
            ("The checker says", report.verdict),
            ("Why", f"{against.what}: {against.why}"),
            ("How it knows", "the witness signed the other history, and signs no second one"),
        ]
    )
    return report


def invent_a_permission(story: Story, copies: Copies) -> Report:
    """Tell chapter 9: somebody who can sign in as anybody shares her address in her name."""
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    screen.begin("A permission that she never gave")
    screen.say(
        "On another copy, whoever runs the server signs in as Mair, and shares her address with "
        f"{team.organisation} once more. It is recorded and signed like everything else."
    )
    with copies.opened(copies.deployment.copy("invented"), is_witnessed=False) as stage:
        impostor = stage.enter("citizen", MAIR, "Impostor", approves=False)
        asker = stage.enter("service", team.service_id, team.organisation)
        handed = asking.ask(asker, question(ADDRESS))
        opened = asking.open_link(impostor, handed, expect)
        address = things_of(opened.request.scope)
        consent = asking.share(impostor, opened.request, address, expect)
        expect.equal("things that are shared", things_of(consent.scope), address)
        with take_away(_mair(stage)) as export:
            report = checker.judge_export(export, copies.kept, copies.trust, copies.provider_keys)
    expect.equal("the checker's findings", report.findings, ())
    expect.equal("the checker's verdict", report.verdict, "NOT SHOWN TO BE HERS")
    invented = [decision for decision in report.decisions if decision.hers == "not shown"]
    expect.equal("what is not hers", [d.consent_id for d in invented], [consent.consent_id])
    screen.blank()
    screen.facts(
        [
            ("Nothing is missing", "every entry fits the one before it"),
            ("The checker says", report.verdict),
            ("Which", f"entry {invented[0].leaf_index}, at {clock(invented[0].moment)}"),
            ("Why", invented[0].why),
            ("How it knows", "what Mair really shares, she confirms where she signs in: each time"),
        ]
    )
    return report


def _mair(stage: Stage) -> Connection:
    return stage.enter("citizen", MAIR, "Mair")


def _nia(stage: Stage) -> Connection:
    return stage.enter("auditor", CHECKER, "Checker")


def _others(story: Story) -> tuple[str, ...]:
    return (story.council_team.organisation,)
