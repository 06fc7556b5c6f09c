# SPDX-License-Identifier: Apache-2.0
"""Builds one server process from its configuration: stores, use cases, views, and who verifies.

Imported when a process begins to serve, and not before: it takes a second.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final

from projections.change_feed import ChangeFeed
from projections.consent_register import ConsentRegister
from projections.runner import Runner
from vault.application.amendments import Amendments
from vault.application.approvals import Approvals, Passkeys
from vault.application.audits import Audits
from vault.application.claims import Claims
from vault.application.consent_receipts import ConsentReceipts
from vault.application.consents import Consents
from vault.application.contacts import Contacts
from vault.application.desk import Desk
from vault.application.disclosures import Disclosures
from vault.application.disputes import Disputes
from vault.application.documents import Documents
from vault.application.evidence import EvidenceKeeper
from vault.application.exports import Exports
from vault.application.identifiers import Identifiers
from vault.application.imports import Imports
from vault.application.keyrings import Keyrings
from vault.application.lane_replays import LaneReplays
from vault.application.lanes import Lanes
from vault.application.log_proofs import LogProofs
from vault.application.operations import Operations
from vault.application.passkeys import PasskeyKeeper
from vault.application.positions import PositionTokens
from vault.application.receipts import Receipts
from vault.application.registry import Registry
from vault.application.reports import Reports
from vault.application.requests import Requests
from vault.application.sign_ins import SignIns
from vault.application.silences import Silences
from vault.application.vaults import CitizenVaults
from vault.configuration.config import SQLITE, Config
from vault.domain.errors import VaultError
from vault.domain.lane import FIRST_LANE
from vault.lane_keeper import LaneKeeper, OpenLane
from vault.log.logs import Logs
from vault.release import running
from vault.sealing.keystore import KeyStore
from vault.server.development.issuer import ISSUER
from vault.server.identity import Verifier
from vault.server.issuer_keys import FetchedKeys, FixedKeys, IssuerKeys
from vault.server.paging import Pages
from vault.server.services import UseCases
from vault.server.step_up import OpenIdStepUp
from vault.store.document_folder import FolderDocumentStore
from vault.store.lane import Lane
from vault.store.vaults import Vaults
from vault.stores import Fail, open_keys, open_lane, open_vaults

_DOCUMENTS_FOLDER: Final = "documents"
_VIEWS_FOLDER: Final = "views"
_LOG_FOLDER: Final = "log"
_SWEEP_SECONDS: Final = 24 * 3600


def issuer_keys_of(config: Config, development_keys: bytes) -> IssuerKeys:
    """Return the keys of who issues tokens.

    Args:
        development_keys: the key set of the development issuer, where it issues.
    """
    issuer = config.issuer
    if issuer is None:
        return FixedKeys(development_keys)
    if issuer.jwks_file:
        return FixedKeys(issuer.jwks_file.read_bytes())
    return FetchedKeys(issuer.jwks_url)


def verifier_of(config: Config, keys: IssuerKeys) -> Verifier:
    """Return who verifies access tokens."""
    issuer = config.issuer
    return Verifier(issuer.name if issuer else ISSUER, config.audience, keys)


async def compose(
    config: Config,
    fail: Fail,
    parts: AsyncExitStack,
    *,
    sweeps: bool = True,
    issuer_keys: IssuerKeys | None = None,
) -> UseCases:
    """Build everything that handlers stand on; `parts` closes it in the other order.

    Args:
        fail: told when nothing can be appended any more.
        sweeps: orphaned documents are deleted by this process.
        issuer_keys: of her provider; without them no decision can be approved by it.
    """
    key_store = open_keys(config, parts)
    secrets = key_store.secrets()
    vaults = open_vaults(config, key_store, fail)
    parts.push_async_callback(vaults.aclose)
    vaults.lanes[FIRST_LANE].start()
    keyrings = Keyrings(key_store, remembered=config.store.remembered_states)
    parts.callback(keyrings.close)

    identifiers = Identifiers(secrets, config.origin)
    receipts = Receipts(secrets)
    desk = Desk(vaults, keyrings, identifiers, _approvals(config, issuer_keys))
    registry = Registry(vaults, identifiers, receipts)
    await registry.list_receipt_key()
    operations = Operations(vaults, identifiers, receipts)
    await operations.start(running(config))
    lanes = Lanes(vaults, identifiers)
    logs = Logs(
        key_store,
        config.data / _LOG_FOLDER,
        config.log.policy,
        unwitnessed_seconds=config.log.unwitnessed_seconds,
    )
    parts.push_async_callback(logs.aclose)
    lanes.keep_log = partial(_keep_log, lanes, logs)
    await lanes.keep_log(vaults.lanes[FIRST_LANE])
    evidence = EvidenceKeeper(desk, registry, receipts)
    store = FolderDocumentStore(config.data / _DOCUMENTS_FOLDER)
    documents = Documents(desk, registry, receipts, evidence, store)
    parts.callback(documents.close)
    if sweeps:
        parts.callback(asyncio.create_task(_sweep(documents)).cancel)
    disclosures = Disclosures(desk, registry, receipts, documents, logs.must_be_witnessed)
    parts.push_async_callback(disclosures.drain)
    requests = Requests(desk, registry)
    reports = Reports(desk, registry, receipts)
    changes, register = _open_views(config, vaults, parts)
    for keeper in [
        LaneKeeper(
            number, _opens(config, key_store, fail, number), lanes, vaults, [changes, register]
        )
        for number in config.store.lanes.databases
    ]:
        parts.push_async_callback(keeper.aclose)
        await keeper.start()
    changes.start()
    register.start()
    return UseCases(
        vaults=CitizenVaults(desk, receipts),
        passkeys=PasskeyKeeper(desk),
        sign_ins=SignIns(desk, config.new_sign_in_wait_seconds),
        contacts=Contacts(desk),
        exports=Exports(desk, registry, documents, logs),
        imports=Imports(desk, registry, receipts, documents),
        evidence=evidence,
        documents=documents,
        disputes=Disputes(desk, receipts),
        requests=requests,
        claims=Claims(desk, requests),
        consents=Consents(desk, registry, receipts),
        amendments=Amendments(desk, registry, receipts),
        disclosures=disclosures,
        reports=reports,
        audits=Audits(desk, registry),
        lane_replays=LaneReplays(desk, receipts),
        silences=Silences(desk, logs),
        log_proofs=LogProofs(desk, logs),
        consent_receipts=ConsentReceipts(desk, registry, receipts),
        registry=registry,
        operations=operations,
        changes=changes,
        register=register,
        positions=PositionTokens(secrets),
        pages=Pages(secrets.token_key),
        store=vaults,
        logs=logs,
    )


async def _keep_log(lanes: Lanes, logs: Logs, lane: Lane) -> None:
    """Keep the log of a lane, whose key is listed first."""
    listed = await lanes.list_log_key(lane, await logs.vkey_of(lane))
    await logs.follow(lane, listed)


def _approvals(config: Config, keys: IssuerKeys | None) -> Approvals:
    """Return what verifies that decisions are hers, by the ways that are set up."""
    ways = config.approvals
    step_up = None
    if ways.client_id and keys is not None:
        step_up = OpenIdStepUp(keys, ways.client_id, ways.acr_values, ways.max_age_seconds)
    passkeys = Passkeys(ways.rp_id, ways.origins) if ways.rp_id else None
    return Approvals(step_up, passkeys, is_required=ways.is_required)


def _opens(config: Config, keys: KeyStore, fail: Fail, number: int) -> OpenLane:
    """Return what opens a further lane."""

    def open_it(lose: Fail) -> Lane:
        # A file whose COMMIT failed is only sound again in another process.
        is_file = config.store.module == SQLITE
        return open_lane(config, keys, fail if is_file else lose, number)

    return open_it


def _open_views(
    config: Config, vaults: Vaults, parts: AsyncExitStack
) -> tuple[Runner[ChangeFeed], Runner[ConsentRegister]]:
    """Open what follows events into views. Several processes follow into the same files."""
    folder = config.data / _VIEWS_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    changes = Runner(ChangeFeed, vaults, folder)
    parts.push_async_callback(changes.aclose)
    register = Runner(ConsentRegister, vaults, folder)
    parts.push_async_callback(register.aclose)
    return changes, register


async def _sweep(documents: Documents) -> None:
    """Delete orphans now and then; what goes wrong once is tried again the next day."""
    while True:
        with suppress(VaultError):
            await documents.sweep()
        await asyncio.sleep(_SWEEP_SECONDS)
