# SPDX-License-Identifier: Apache-2.0
"""The application over SQLite files in a folder, composed as `vault.main` does, and a story in it.

A `House` is one process: two of them on one folder are two processes on one database. `share` is
how Mair's address comes to be shared with a service; tests begin there and change one thing.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from msgspec.structs import replace

from tests.instant_logs import SignedLogs
from vault.application.amendments import Amendments
from vault.application.audits import Audits
from vault.application.caller import ActingFor, Caller
from vault.application.claims import Claims
from vault.application.commands import Particulars
from vault.application.consent_receipts import ConsentReceipts
from vault.application.consents import Consents
from vault.application.desk import Desk
from vault.application.disclosures import Disclosed, Disclosures
from vault.application.disputes import Disputes
from vault.application.documents import Documents
from vault.application.evidence import EvidenceKeeper, Provided
from vault.application.identifiers import Identifiers
from vault.application.keyrings import Keyrings, floors_of
from vault.application.lane_replays import LaneReplays
from vault.application.lanes import Lanes
from vault.application.log_proofs import LogProofs
from vault.application.receipts import Receipts
from vault.application.registry import PurposeTexts, Registry
from vault.application.requests import Requests
from vault.application.silences import Silences
from vault.application.vaults import CitizenVaults
from vault.domain.canonical import digest
from vault.domain.choice import Choice, ItemChoice
from vault.domain.disclosure import Attempt, Selection
from vault.domain.registry import Bounds
from vault.domain.request import Question
from vault.domain.values import (
    Basis,
    Frequency,
    Mode,
    PurposeVersion,
    RequestedFields,
    Time,
    TypeFields,
    time_of,
)
from vault.sealing.keystore import Secrets
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, create_key_file
from vault.store.append import Append, Commit, StoredRecord
from vault.store.clock import Clock
from vault.store.committer import Committer
from vault.store.document_folder import FolderDocumentStore
from vault.store.errors import AppendFailedError
from vault.store.lane import Lane
from vault.store.record import read_event
from vault.store.vaults import Vaults

DEPLOYMENT: Final = "test"
ORIGIN: Final = "test/0"
SEEDS: Final = Path(__file__).parents[1] / "vault" / "evidence_types"
HERSELF: Final = ActingFor()
MAIR: Final = Caller("citizen", "https://sign-in.example", "mair")
NIA: Final = Caller("citizen", "https://sign-in.example", "nia")
OPERATOR: Final = Caller("operator", "https://staff.example", "olwen")
OFFICIAL: Final = Caller("official", "https://staff.example", "owen")
AUDITOR: Final = Caller("auditor", "https://staff.example", "aled")
ADDRESS: Final = {"addressCountry": "GB", "postalCode": "SY23 2AA", "streetName": "Heol y Bont"}
VERIFIER: Final = "v" * 43


class AdjustableClock:
    """The machine's clocks, ahead by as much as a test says; committed times stay the machine's."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        self.late_seconds = 0.0

    def now(self) -> Time:
        """Return the time."""
        return time_of(datetime.now(UTC) + timedelta(seconds=self.ahead_seconds))

    def monotonic(self) -> float:
        """Return seconds of `time.monotonic()`, later by as much as a test says."""
        return time.monotonic() + self.late_seconds


@dataclass
class House:
    """One process of the application."""

    folder: Path
    clock: Clock
    secrets: Secrets
    key_store: SQLiteKeyStore
    vaults: Vaults
    keyrings: Keyrings
    identifiers: Identifiers
    receipts: Receipts
    registry: Registry
    citizens: CitizenVaults
    evidence: EvidenceKeeper
    documents: Documents
    disputes: Disputes
    requests: Requests
    claims: Claims
    consents: Consents
    amendments: Amendments
    disclosures: Disclosures
    audits: Audits
    logs: SignedLogs
    lane_replays: LaneReplays
    silences: Silences
    log_proofs: LogProofs
    consent_receipts: ConsentReceipts

    @property
    def lane(self) -> Lane:
        """Return its first lane, which is the only one unless a test says otherwise."""
        return self.vaults.lanes[0]

    async def records(self, stream: str) -> list[StoredRecord]:
        """Return what is stored of a stream."""
        return await self.vaults.records(stream, limit=10_000)

    async def names(self, stream: str) -> list[str]:
        """Return the stored names of a stream's events, oldest first."""
        return [str(record.topic) for record in await self.records(stream)]

    async def facts(self, stream: str, stored_name: str) -> list[Any]:
        """Return the facts of a stream's events of one name, oldest first."""
        states = [r.state for r in await self.records(stream) if r.topic == stored_name]
        return [read_event(state).facts for state in states if state is not None]


@asynccontextmanager
async def opened(
    folder: Path,
    clock: Clock | None = None,
    *,
    first: Mapping[str, str] | None = None,
    further: Sequence[Mapping[str, str]] = (),
    full: Collection[int] = (),
) -> AsyncIterator[House]:
    """Open a house over the files of a folder, made on the first occasion.

    Args:
        first: the database of lane 0, a file in the folder if it is not given.
        further: the databases of lanes 1, 2, ...
        full: lanes in which no vault is opened.
    """
    key_file = folder / "kek"
    if not key_file.exists():
        create_key_file(key_file)
    key_store = SQLiteKeyStore(folder / "keys.db", FileKeyWrapper(key_file))
    secrets = key_store.secrets()
    fatal: list[BaseException] = []
    clock = clock or AdjustableClock()
    first_lane, *others = (
        Lane(
            DEPLOYMENT,
            number,
            clock,
            lambda recorder: Committer(recorder, on_fatal=fatal.append),
            environment,
            floor_of=floors_of(key_store),
        )
        for number, environment in enumerate((first or sqlite(folder, "events.db"), *further))
    )
    vaults = Vaults(first_lane, others=[lane.number for lane in others], full=full)
    first_lane.start()
    keyrings = Keyrings(key_store)
    identifiers, receipts = Identifiers(secrets, ORIGIN), Receipts(secrets)
    desk = Desk(vaults, keyrings, identifiers)
    registry = Registry(vaults, identifiers, receipts)
    admitting = Lanes(vaults, identifiers)
    requests = Requests(desk, registry)
    evidence = EvidenceKeeper(desk, registry, receipts)
    store = FolderDocumentStore(folder / "documents")
    documents = Documents(desk, registry, receipts, evidence, store)
    disclosures = Disclosures(desk, registry, receipts, documents)
    logs = SignedLogs(vaults)
    try:
        await registry.list_receipt_key()
        for lane in others:
            lane.start()
            await admitting.admit(lane)
        yield House(
            folder=folder,
            clock=vaults.clock,
            secrets=secrets,
            key_store=key_store,
            vaults=vaults,
            keyrings=keyrings,
            identifiers=identifiers,
            receipts=receipts,
            registry=registry,
            citizens=CitizenVaults(desk, receipts),
            evidence=evidence,
            documents=documents,
            disputes=Disputes(desk, receipts),
            requests=requests,
            claims=Claims(desk, requests),
            consents=Consents(desk, registry, receipts),
            amendments=Amendments(desk, registry, receipts),
            disclosures=disclosures,
            audits=Audits(desk, registry),
            logs=logs,
            lane_replays=LaneReplays(desk, receipts),
            silences=Silences(desk, logs),
            log_proofs=LogProofs(desk, logs),
            consent_receipts=ConsentReceipts(desk, registry, receipts),
        )
    finally:
        await disclosures.drain()
        documents.close()
        keyrings.close()
        await vaults.aclose()
        key_store.close()
    assert not fatal


def sqlite(folder: Path, name: str) -> dict[str, str]:
    """Return how a lane is found that lies in a file of a folder."""
    return {"PERSISTENCE_MODULE": "vault.store.sqlite", "SQLITE_DBNAME": str(folder / name)}


# --- The story -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registered:
    """Who is registered: an organisation with two services, each with the purpose `care`."""

    organisation: str
    service: Caller
    other_service: Caller


@dataclass(frozen=True)
class Shared:
    """A consent for one piece of evidence, and who are its two sides."""

    citizen: Caller
    service: Caller
    vault_id: str
    evidence_id: str
    consent_request_id: str
    consent_id: str
    subject: str

    def attempt(self, *names: str, **changes: Any) -> Attempt:
        """Return the service's attempt to fetch fields of the address; her postcode if none."""
        wanted = Selection(item=0, evidence_type="postal_address", names=names or ("postalCode",))
        attempt = Attempt(
            service=self.service.sub,
            subject=self.subject,
            consent_id=self.consent_id,
            purpose_code="care",
            selections=(wanted,),
        )
        return replace(attempt, **changes)


def new_id() -> str:
    """Return a new `request_id`."""
    return str(uuid4())


def said(**changes: str) -> Particulars:
    """Return what a caller says beside its command."""
    return Particulars(digest="", **changes)


def provided(**changes: str) -> Provided:
    """Return Mair's address; `changes` are of its values."""
    values = json.dumps({**ADDRESS, **changes}).encode()
    return Provided(values=values, issued_date="", source="self-declared")


def auditor_of(service: Caller) -> Caller:
    """Return the auditor of one service."""
    issuer = "https://staff.example"
    return Caller("service-auditor", issuer, "sara", audited_service=service.sub)


def texts(title: str = "Care at home") -> tuple[PurposeTexts, ...]:
    """Return the texts of a purpose."""
    return (
        PurposeTexts(
            language="en",
            title=title,
            why="To visit you.",
            if_refused="We ask you by phone.",
            if_stopped="We stop visiting.",
            other_ways="Call us.",
            help_line="01970 000000",
        ),
    )


def bounds(*services: Caller) -> Bounds:
    """Return the bounds of the purpose: postcode and street, ten times a day, a hundred days."""
    return Bounds(
        services=tuple(sorted(service.sub for service in services)),
        basis=Basis(code="public-task", statute="Care Act 2014"),
        evidence=(TypeFields(evidence_type="postal_address", names=("postalCode", "streetName")),),
        longest_days=100,
        frequency=Frequency(count=10, period_seconds=86_400),
        retention_days=30,
        method="store",
        storage="GB",
        jurisdiction="GB",
    )


def a_purpose(code: str = "care", version: int = 1) -> PurposeVersion:
    """Return a version of a purpose."""
    return PurposeVersion(code=code, version=version, iri="https://w3id.org/dpv#ServiceProvision")


def a_question(**changes: Any) -> Question:
    """Return that a service asks for her postcode, perhaps her street, five times a day."""
    question = Question(
        purpose_code="care",
        scope=(
            RequestedFields(
                evidence_type="postal_address", required=("postalCode",), optional=("streetName",)
            ),
        ),
        start=None,
        end=None,
        frequency=Frequency(count=5, period_seconds=86_400),
        largest_age_days=0,
        retention_days=10,
        expires=None,
        subject="",
        code_challenge=digest(VERIFIER.encode()),
    )
    return replace(question, **changes)


def a_choice(evidence_id: str, *names: str, mode: Mode = "following") -> Choice:
    """Return that she chooses fields of a piece of evidence; her postcode if none is named."""
    chosen = ItemChoice(evidence_id=evidence_id, names=names or ("postalCode",), mode=mode)
    return Choice(items=(chosen,), start=None, end=None, language="en")


async def furnish(house: House) -> Registered:
    """Register an organisation and two services, publish two evidence types and a purpose."""
    for seed in ("bank_account", "postal_address"):
        definition = (SEEDS / f"{seed}.json").read_bytes()
        await house.registry.publish_evidence_type(OPERATOR, new_id(), definition)
    organisation = (
        await house.registry.register_organisation(OPERATOR, new_id(), {"en": "Aber"}, {"en": "-"})
    ).value
    services = []
    for name in ("Social care", "BrightCare"):
        answer = await house.registry.register_service(
            OPERATOR, new_id(), organisation, {"en": name}
        )
        services.append(Caller("service", "https://services.example", answer.value))
    await house.registry.publish_purpose(
        OPERATOR, new_id(), a_purpose(), bounds(*services), texts()
    )
    return Registered(organisation, services[0], services[1])


async def provide_address(house: House, citizen: Caller, **changes: str) -> str:
    """Open her vault if it is not open, provide her address, and return its id."""
    await house.citizens.open(citizen, HERSELF)
    answer = await house.evidence.provide(
        citizen, HERSELF, new_id(), "postal_address", provided(**changes)
    )
    return answer.value.evidence.evidence_id


async def ask(house: House, service: Caller, **changes: Any) -> str:
    """Ask, and return the token of the hand-off link."""
    answer = await house.requests.ask(service, new_id(), a_question(**changes), said())
    return answer.value.handoff_token


async def grant(house: House, citizen: Caller, consent_request_id: str, choice: Choice) -> str:
    """Look at the page of a choice, grant it, and return the consent's id."""
    page = await house.consents.preview(citizen, HERSELF, consent_request_id, choice)
    answer = await house.consents.grant(
        citizen,
        HERSELF,
        new_id(),
        consent_request_id=consent_request_id,
        choice=choice,
        shown=page.shown,
        shown_hash=page.shown_hash,
    )
    return answer.value.consent_id


async def claim_and_redeem(
    house: House, citizen: Caller, service: Caller, token: str
) -> tuple[str, str]:
    """Follow a hand-off link and come back; return the request's id and her subject."""
    claimed = (await house.claims.claim(citizen, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id
    back = await house.requests.redeem(service, new_id(), request_id, claimed.code, VERIFIER)
    return request_id, back.value.subject


async def share(
    house: House,
    citizen: Caller,
    service: Caller,
    *names: str,
    mode: Mode = "following",
    **changes: Any,
) -> Shared:
    """Share a new address of hers with a service; `changes` are of what is asked."""
    evidence_id = await provide_address(house, citizen)
    token = await ask(house, service, **changes)
    request_id, subject = await claim_and_redeem(house, citizen, service, token)
    choice = a_choice(evidence_id, *names, mode=mode)
    consent_id = await grant(house, citizen, request_id, choice)
    state = (await house.citizens.get(citizen, HERSELF)).value
    return Shared(
        citizen=citizen,
        service=service,
        vault_id=state.stream,
        evidence_id=evidence_id,
        consent_request_id=request_id,
        consent_id=consent_id,
        subject=subject,
    )


async def fetch(
    house: House, shared: Shared, *names: str, request_id: str = "", **changes: Any
) -> Disclosed:
    """Fetch as the service that it is shared with."""
    attempt = shared.attempt(*names, **changes)
    return await house.disclosures.disclose(
        shared.service, request_id or new_id(), attempt, said(staff_ref="anna")
    )


async def revoke(house: House, shared: Shared) -> None:
    """Revoke the consent, as its citizen."""
    await house.amendments.revoke(shared.citizen, HERSELF, new_id(), shared.consent_id)


def fail_once(
    monkeypatch: pytest.MonkeyPatch, house: House, stored_name: str, *, lane: int = 0
) -> None:
    """Let the next append of an event of this name fail, as if the process had died before it."""
    committer = house.vaults.lanes[lane].committer
    append = committer.append
    failed: list[Append] = []

    async def failing(what: Append, **options: Any) -> Commit:
        if what.events[0].topic == stored_name and not failed:
            failed.append(what)
            raise AppendFailedError
        return await append(what, **options)

    assert isinstance(committer, Committer)
    monkeypatch.setattr(committer, "append", failing)
