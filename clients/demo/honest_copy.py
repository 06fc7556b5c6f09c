# SPDX-License-Identifier: Apache-2.0
"""Chapter 10: an honest copy, which the checker goes through from the first entry to the last."""

from clients.connection import Connection
from clients.demo import checker
from clients.demo.cheating import Copies
from clients.demo.checker import Report
from clients.demo.counter import DISCLOSED
from clients.demo.people import CHECKER, MAIR
from clients.demo.story import Story
from clients.demo.taking_away import take_away
from clients.demo.witness import NAME
from clients.demo.wording import clock, moment
from vault.api.v1.consent_pb2 import CONSENT_STATE_ACTIVE, CONSENT_STATE_REVOKED
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryRequest


def check(story: Story, copies: Copies, uses: tuple[HistoryEntry, ...], used_token: str) -> Report:
    """Tell the chapter: every use was allowed; BrightCare was then, but is not now."""
    screen, expect = story.screen, story.expect
    used = [use for use in uses if use.type == DISCLOSED]
    latest = used[-1]
    who = story.directory.organisation(latest.service_id)
    screen.begin("An honest copy")
    screen.say(
        "On a copy that nobody touched, Mair takes everything away that is kept about her, and "
        "the checker goes through it, without the server."
    )
    as_of = latest.time.ToDatetime().isoformat(timespec="microseconds") + "Z"
    with copies.opened(copies.deployment.copy("honest")) as stage:
        nia = stage.enter("auditor", CHECKER, "Checker")
        mair = stage.enter("citizen", MAIR, "Mair")
        then = checker.permission(nia, copies.vault_id, latest.consent_id, used_token)
        now = checker.permission(nia, copies.vault_id, latest.consent_id)
        looks = _looks(mair)
        with take_away(mair) as export:
            report = checker.judge_export(
                export, copies.kept, copies.trust, copies.provider_keys, as_of
            )
    expect.equal("what they were permitted then", then.state, CONSENT_STATE_ACTIVE)
    expect.equal("what they are permitted now", now.state, CONSENT_STATE_REVOKED)
    expect.equal("the checker's own looks, in her list", looks, 2)
    expect.equal("the checker's findings", report.findings, ())
    expect.equal("the checker's verdict", report.verdict, "VERIFIED")
    expect.equal(
        "the uses that it judged",
        [use.leaf_index for use in report.uses],
        [use.receipt.leaf_index for use in used],
    )
    expect.true("every use was allowed", came=all(use.allowed for use in report.uses))
    expect.true("every confirmation holds", came=all(held.holds for held in report.receipts))
    shown = [decision.hers for decision in report.decisions]
    expect.true("every permission is shown to be hers", came=set(shown) == {"shown"})
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
            ("The checker says", f"{report.verdict}: {report.trust}"),
            (f"{who} then", f"allowed, at {clock(moment(latest.time))}"),
            (f"{who} now", f"not allowed: she stopped them at {clock(moment(now.revoke_time))}"),
            ("Confirmations", f"all {len(report.receipts)} hold, signed by {NAME} too"),
            ("What she shared", f"{len(shown)} decisions, each shown to be hers"),
            ("Its own looks", f"{looks}, in her list like any other"),
        ]
    )
    return report


def _looks(mair: Connection) -> int:
    listed = mair.vaults.ListHistory(ListHistoryRequest(page_size=500))
    return sum(entry.type.startswith("vault-read.") for entry in listed.entries)
