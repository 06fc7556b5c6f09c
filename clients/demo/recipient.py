# SPDX-License-Identifier: Apache-2.0
"""Aber Council as the story goes on: it fetches, tries, asks whether it may, and is told."""

from dataclasses import dataclass

from clients.connection import Connection
from clients.demo import fetching
from clients.demo.counter import DISCLOSED
from clients.demo.news import News
from clients.demo.story import Story
from clients.demo.things import Thing, fields_of
from vault.api.v1.disclosure_pb2 import Authority, FieldSelection
from vault.api.v1.disclosure_service_pb2 import CheckDisclosuresRequest, DisclosureCheck
from vault.api.v1.vault_pb2 import HistoryEntry


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who may fetch from Mair, and what they are told of it."""

    story: Story
    connection: Connection
    permission: fetching.Permission
    news: News

    def fetches(self, things: tuple[Thing, ...]) -> fetching.Fetched:
        """Expect that things come, and nothing else."""
        story = self.story
        answer = fetching.fetch(self.connection, self.permission, things)
        fetched = fetching.read(answer, story.directory.receipt_keys, story.expect)
        story.expect.equal("the fields that came", set(fetched.values), set(fields_of(things)))
        return fetched

    def is_refused(self, things: tuple[Thing, ...], reason: str) -> HistoryEntry:
        """Expect that things do not come, and that she can see that they tried."""
        story = self.story
        before = story.uses()
        story.expect.refused(
            "they are refused",
            reason,
            lambda: fetching.fetch(self.connection, self.permission, things),
        )
        attempt = story.attempt(reason, after_version=before[0].version)
        came = [
            use for use in story.uses() if use.version > before[0].version and use.type == DISCLOSED
        ]
        story.expect.equal("uses that came of it", came, [])
        return attempt

    def may_fetch(self, things: tuple[Thing, ...]) -> tuple[bool, str]:
        """Ask whether things would come now, and if not why; expect that asking leaves no trace."""
        permission = self.permission
        before = self.story.uses()[0].version
        answer = self.connection.disclosures.CheckDisclosures(
            CheckDisclosuresRequest(
                checks=[
                    DisclosureCheck(
                        subject_id=permission.subject_id,
                        authority=Authority(consent_id=permission.consent_id),
                        purpose_code=permission.purpose_code,
                        fields=[
                            FieldSelection(evidence_type=thing.evidence_type, names=thing.names)
                            for thing in things
                        ],
                    )
                ]
            )
        )
        self.story.expect.equal("the newest use", self.story.uses()[0].version, before)
        result = answer.results[0]
        return result.is_permitted, result.reason
