# SPDX-License-Identifier: Apache-2.0
"""What somebody with every right on the database can do to a history, and what is decided on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    OPERATOR,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    fetch,
    grant,
    new_id,
    opened,
    provide_address,
    provided,
    revoke,
    share,
)
from vault.domain.errors import HistoryBrokenError

REMOVE_PAYLOADS = """
DELETE FROM payloads
WHERE position = (SELECT position FROM entries WHERE stream = ? AND version = ?)
"""
REMOVE_RECORD = """
DELETE FROM records
WHERE position = (SELECT position FROM entries WHERE stream = ? AND version = ?)
"""
REMOVE_ENTRY = "DELETE FROM entries WHERE stream = ? AND version = ?"
REWRITE_RECORD = """
UPDATE records SET state = CAST(replace(CAST(state AS TEXT), ?, ?) AS BLOB)
WHERE position = (SELECT position FROM entries WHERE stream = ? AND version = ?)
"""
ZERO_PAYLOADS = """
UPDATE payloads SET content = zeroblob(length(content))
WHERE position = (SELECT position FROM entries WHERE stream = ? AND version = ?)
"""
REWRITE_TEXTS = """
UPDATE payloads SET content = CAST(replace(CAST(content AS TEXT), ?, ?) AS BLOB)
WHERE kind = 'texts'
"""
EXCHANGE_VALUES = """
UPDATE payloads SET content = (
    SELECT content FROM payloads JOIN entries USING (lane, position)
    WHERE stream = ? AND version = ? AND kind = 'evidence'
)
WHERE position = (SELECT position FROM entries WHERE stream = ? AND version = ?)
    AND kind = 'evidence'
"""
Statement = tuple[str, tuple[str | int, ...]]


def tamper(folder: Path, *statements: Statement) -> None:
    """Do to the database what its triggers forbid."""
    connection = apsw.Connection(str(folder / "events.db"))
    triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement, bindings in statements:
        connection.execute(statement, bindings)
    connection.close()


def remove(folder: Path, stream: str, version: int) -> None:
    """Remove one event whole, as if it had never been."""
    removals = (REMOVE_PAYLOADS, REMOVE_RECORD, REMOVE_ENTRY)
    tamper(folder, *((removal, (stream, version)) for removal in removals))


def rewrite(folder: Path, stream: str, version: int, old: str, new: str) -> None:
    """Rewrite some of one record."""
    tamper(folder, (REWRITE_RECORD, (old, new, stream, version)))


@pytest.fixture
async def story(folder: Path, registered: Registered, shared: Shared) -> str:
    """The address was used, and used again; Mair's vault."""
    del registered
    async with opened(folder) as house:
        await fetch(house, shared)
        await fetch(house, shared)
        assert len(await house.names(shared.vault_id)) == 6
    return shared.vault_id


@pytest.fixture
async def broken(folder: Path, story: str) -> AsyncIterator[House]:
    """A house from whose records the first use was removed."""
    remove(folder, story, 5)
    async with opened(folder) as house:
        yield house


async def test_nothing_leaves_a_broken_history(broken: House, shared: Shared) -> None:
    with pytest.raises(HistoryBrokenError):
        await fetch(broken, shared)


async def test_nothing_is_granted_in_a_broken_history(
    broken: House, registered: Registered, shared: Shared
) -> None:
    with pytest.raises(HistoryBrokenError):
        await broken.consents.preview(
            MAIR, HERSELF, shared.consent_request_id, a_choice(shared.evidence_id)
        )
    token = await ask(broken, registered.service)
    with pytest.raises(HistoryBrokenError):
        await broken.claims.claim(MAIR, HERSELF, new_id(), token)


async def test_nothing_is_added_to_a_broken_history(broken: House, shared: Shared) -> None:
    with pytest.raises(HistoryBrokenError):
        await provide_address(broken, MAIR)
    with pytest.raises(HistoryBrokenError):
        await broken.evidence.replace(MAIR, HERSELF, new_id(), shared.evidence_id, provided())


async def test_in_a_broken_history_she_can_still_stop(broken: House, shared: Shared) -> None:
    await revoke(broken, shared)

    names = await broken.names(shared.vault_id)
    assert names[-1] == "consent-revoked.1"


async def test_she_can_still_read_a_broken_history(broken: House) -> None:
    page = await broken.citizens.history(MAIR, HERSELF, limit=50, only_disclosures=False)

    assert [line.event.link.version for line in page.lines] == [6, 4, 3, 2, 1]


async def test_an_auditor_can_replay_a_broken_history(broken: House, shared: Shared) -> None:
    items = [
        item async for item in broken.audits.replay_vault(AUDITOR, shared.vault_id, case_ref="")
    ]

    versions = [item.version for item in items if hasattr(item, "version")]
    assert versions == [1, 2, 3, 4, 6, 7]


async def test_one_broken_history_leaves_the_others_alone(
    broken: House, registered: Registered
) -> None:
    nias = await share(broken, NIA, registered.other_service)

    assert (await fetch(broken, nias)).bundle


async def test_a_record_that_was_rewritten_in_another_form_is_not_decided_on(
    folder: Path, story: str, shared: Shared
) -> None:
    rewrite(folder, story, 2, '"self-declared"', '"issuer" ')

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)


async def test_a_record_that_was_rewritten_in_good_form_breaks_the_link_after_it(
    folder: Path, story: str, shared: Shared
) -> None:
    rewrite(folder, story, 2, '"self-declared"', '"issuer"')

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)


async def test_a_widened_consent_is_not_decided_on(
    folder: Path, story: str, shared: Shared
) -> None:
    rewrite(folder, story, 4, '"optional":[]', '"optional":["streetName"]')

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared, "streetName")


async def test_a_record_that_was_removed_leaving_its_entry_is_not_decided_over(
    folder: Path, story: str, shared: Shared
) -> None:
    tamper(folder, (REMOVE_RECORD, (story, 5)))

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)


async def test_a_payload_that_was_exchanged_is_not_opened(
    folder: Path, story: str, shared: Shared
) -> None:
    tamper(folder, (ZERO_PAYLOADS, (story, 2)))

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)
        with pytest.raises(HistoryBrokenError):
            await house.evidence.get(MAIR, HERSELF, shared.evidence_id)


async def test_another_citizens_sealed_values_do_not_open_in_her_place(
    folder: Path, story: str, shared: Shared, registered: Registered
) -> None:
    async with opened(folder) as house:
        nias = await share(house, NIA, registered.other_service)
    tamper(folder, (EXCHANGE_VALUES, (nias.vault_id, 2, story, 2)))

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)


async def test_a_registry_from_which_a_suspension_was_removed_is_not_decided_on(
    folder: Path, story: str, shared: Shared, registered: Registered
) -> None:
    async with opened(folder) as house:
        await house.registry.suspend_service(OPERATOR, new_id(), registered.service.sub)
        suspended = (await house.registry.state()).version
        await house.registry.withdraw_purpose(OPERATOR, new_id(), "care")
        stream = house.identifiers.registry_stream
    remove(folder, stream, suspended)

    async with opened(folder) as house:
        with pytest.raises(HistoryBrokenError):
            await fetch(house, shared)
        with pytest.raises(HistoryBrokenError):
            await ask(house, registered.other_service)
        await revoke(house, shared)
        assert (await house.names(story))[-1] == "consent-revoked.1"


async def test_a_notice_that_was_changed_is_shown_to_nobody_who_decides_by_it(
    folder: Path, story: str, shared: Shared
) -> None:
    tamper(folder, (REWRITE_TEXTS, ("Care at home", "Care for all")))

    async with opened(folder) as house:
        (purpose,) = (await house.registry.state()).purposes["care"]
        with pytest.raises(HistoryBrokenError):
            await house.registry.purpose_texts(purpose.published)
        with pytest.raises(HistoryBrokenError):
            await house.consent_receipts.get(MAIR, HERSELF, shared.consent_id, "")
        # Who compares it with what was recorded sees both.
        found = await house.audits.explain(AUDITOR, story, 5)
        assert found.texts[0].title == "Care for all"
        assert found.texts_hash != found.consent.terms.notice_hash


async def test_a_service_whose_name_was_changed_is_not_shown_under_it(
    folder: Path, story: str
) -> None:
    del story
    tamper(folder, (REWRITE_TEXTS, ("Social care", "BrightCare!")))

    async with opened(folder) as house:
        service, other = (await house.registry.state()).services.values()

        with pytest.raises(HistoryBrokenError):
            await house.registry.named(service.published)
        assert (await house.registry.named(other.published)).name["en"] == "BrightCare"


async def test_the_files_of_this_story_are_sound_before_they_are_tampered_with(
    folder: Path, story: str, shared: Shared, registered: Registered
) -> None:
    tamper(folder)

    async with opened(folder) as house:
        assert (await fetch(house, shared)).bundle
        token = await ask(house, registered.other_service)
        claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
        request_id = claimed.view.consent_request_id
        assert await grant(house, MAIR, request_id, a_choice(shared.evidence_id))
    assert story
