# SPDX-License-Identifier: Apache-2.0
"""Chapters 7 and 8: a use is removed from a copy of the database, and found; an honest copy holds.

The cheat has every right that a database administrator has: it takes away the triggers that guard
the tables, and deletes the entry, its record and what lies sealed beside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.connection import Connection
from clients.demo import checker
from clients.demo.checker import Report
from clients.demo.counter import DISCLOSED
from clients.demo.deployment import Deployment
from clients.demo.people import CHECKER, MAIR
from clients.demo.server import running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story, count
from clients.demo.wording import clock, moment
from vault.api.v1.consent_pb2 import CONSENT_STATE_ACTIVE, CONSENT_STATE_REVOKED
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryRequest


@dataclass(frozen=True, slots=True)
class Copies:
    """What the stopped server stands on, and whose history is looked at."""

    deployment: Deployment
    vault_id: str
    listener: Listener | None

    @property
    def folder(self) -> Path:
        """Return the folder beside which copies lie."""
        return self.deployment.data.parent


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
    with _opened(cheated, copies.listener) as (auditor, mair):
        left = count(mair, story.directory, story.typing.answers)
        expect.equal("who saw any of it, says her list", left.seen_by, _others(story))
        replayed = checker.replay(auditor, copies.vault_id, copies.folder / "cheated-replay")
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


def check_honest_copy(
    story: Story, copies: Copies, uses: tuple[HistoryEntry, ...], used_token: str
) -> Report:
    """Tell chapter 8: on an honest copy every use was allowed; BrightCare then, but not now."""
    screen, expect = story.screen, story.expect
    used = [use for use in uses if use.type == DISCLOSED]
    latest = used[-1]
    who = story.directory.organisation(latest.service_id)
    screen.begin("An honest copy")
    screen.say("On a copy that nobody touched, the checker goes through everything again.")
    with _opened(copies.deployment.copy("honest"), copies.listener) as (auditor, mair):
        then = checker.permission(auditor, copies.vault_id, latest.consent_id, used_token)
        now = checker.permission(auditor, copies.vault_id, latest.consent_id)
        replayed = checker.replay(auditor, copies.vault_id, copies.folder / "honest-replay")
        looks = _looks(mair)
    expect.equal("what they were permitted then", then.state, CONSENT_STATE_ACTIVE)
    expect.equal("what they are permitted now", now.state, CONSENT_STATE_REVOKED)
    expect.equal("the checker's own looks, in her list", looks, 3)
    as_of = latest.time.ToDatetime().isoformat(timespec="microseconds") + "Z"
    report = checker.judge(replayed, [use.receipt for use in uses], as_of)
    expect.equal("the checker's findings", report.findings, ())
    expect.equal("the checker's verdict", report.verdict, "CONSISTENT ONLY")
    expect.equal(
        "the uses that it judged",
        [use.leaf_index for use in report.uses],
        [use.receipt.leaf_index for use in used],
    )
    expect.true("every use was allowed", came=all(use.allowed for use in report.uses))
    expect.true("every confirmation holds", came=all(held.holds for held in report.receipts))
    judged = next(c for c in report.consents if c.consent_id == latest.consent_id)
    expect.true("allowed then", came=judged.allowed)
    expect.true("not allowed now", came=not judged.at_end.allowed)
    screen.table(
        ("Entry", "When", "Who", "Allowed"),
        [
            (
                str(use.leaf_index),
                clock(moment(entry.time)),
                f"{story.directory.organisation(use.service)}, {entry.staff_ref}",
                "yes" if use.allowed else "no",
            )
            for use, entry in zip(report.uses, used, strict=True)
        ],
    )
    story.search()
    screen.facts(
        [
            (f"{who} then", f"allowed, at {clock(moment(latest.time))}"),
            (f"{who} now", f"not allowed: she stopped them at {clock(moment(now.revoke_time))}"),
            ("Confirmations", f"all {len(report.receipts)} hold"),
            ("What the checker saw", "who fetched what, when and why; nothing that Mair typed"),
            ("Its own looks", f"{looks}, in her list like any other"),
        ]
    )
    return report


@contextmanager
def _opened(
    deployment: Deployment, listener: Listener | None
) -> Iterator[tuple[Connection, Connection]]:
    """Run a server on a copy; yield the checker's connection to it, and Mair's."""
    with running(deployment) as server, Stage(server, listener) as stage:
        yield stage.enter("auditor", CHECKER, "Checker"), stage.enter("citizen", MAIR, "Mair")


def _looks(mair: Connection) -> int:
    listed = mair.vaults.ListHistory(ListHistoryRequest(page_size=500))
    return sum(entry.type.startswith("vault-read.") for entry in listed.entries)


def _others(story: Story) -> tuple[str, ...]:
    return (story.council_team.organisation,)
