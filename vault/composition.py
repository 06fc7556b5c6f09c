# SPDX-License-Identifier: Apache-2.0
"""Builds one server process from its configuration: stores, use cases, views, and who verifies.

Imported when a process begins to serve, and not before: it takes a second.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Final

from projections.change_feed import ChangeFeed
from projections.consent_register import ConsentRegister
from projections.runner import Runner
from vault.application.amendments import Amendments
from vault.application.audits import Audits
from vault.application.claims import Claims
from vault.application.consents import Consents
from vault.application.desk import Desk
from vault.application.disclosures import Disclosures
from vault.application.disputes import Disputes
from vault.application.documents import Documents
from vault.application.evidence import EvidenceKeeper
from vault.application.identifiers import Identifiers
from vault.application.keyrings import Keyrings
from vault.application.lanes import Lanes
from vault.application.positions import PositionTokens
from vault.application.receipts import Receipts
from vault.application.registry import Registry
from vault.application.requests import Requests
from vault.application.vaults import CitizenVaults
from vault.config import SQLITE, Config
from vault.domain.errors import VaultError
from vault.domain.lane import FIRST_LANE
from vault.lane_keeper import LaneKeeper, OpenLane
from vault.sealing.keystore import KeyStore
from vault.server.development_issuer import ISSUER
from vault.server.identity import Verifier
from vault.server.issuer_keys import FetchedKeys, FixedKeys, IssuerKeys
from vault.server.paging import Pages
from vault.server.services import UseCases
from vault.store.document_folder import FolderDocumentStore
from vault.store.lane import Lane
from vault.store.vaults import Vaults
from vault.stores import Fail, open_keys, open_lane, open_vaults

_DOCUMENTS_FOLDER: Final = "documents"
_VIEWS_FOLDER: Final = "views"
_SWEEP_SECONDS: Final = 24 * 3600


def verifier_of(config: Config, development_keys: bytes) -> Verifier:
    """Return who verifies access tokens.

    Args:
        development_keys: the key set of the development issuer, where it issues.
    """
    issuer = config.issuer
    if issuer is None:
        return Verifier(ISSUER, config.audience, FixedKeys(development_keys))
    keys: IssuerKeys = (
        FixedKeys(issuer.jwks_file.read_bytes())
        if issuer.jwks_file
        else FetchedKeys(issuer.jwks_url)
    )
    return Verifier(issuer.name, issuer.audience, keys)


async def compose(
    config: Config, fail: Fail, parts: AsyncExitStack, *, sweeps: bool = True
) -> UseCases:
    """Build everything that handlers stand on; `parts` closes it in the other order.

    Args:
        fail: told when nothing can be appended any more.
        sweeps: orphaned documents are deleted by this process.
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
    desk = Desk(vaults, keyrings, identifiers)
    registry = Registry(vaults, identifiers, receipts)
    await registry.list_receipt_key()
    lanes = Lanes(vaults, identifiers)
    evidence = EvidenceKeeper(desk, registry, receipts)
    store = FolderDocumentStore(config.data / _DOCUMENTS_FOLDER)
    documents = Documents(desk, registry, receipts, evidence, store)
    parts.callback(documents.close)
    if sweeps:
        parts.callback(asyncio.create_task(_sweep(documents)).cancel)
    disclosures = Disclosures(desk, registry, receipts, documents)
    parts.push_async_callback(disclosures.drain)
    requests = Requests(desk, registry)
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
        evidence=evidence,
        documents=documents,
        disputes=Disputes(desk, receipts),
        requests=requests,
        claims=Claims(desk, requests),
        consents=Consents(desk, registry, receipts),
        amendments=Amendments(desk, registry, receipts),
        disclosures=disclosures,
        audits=Audits(desk, registry),
        registry=registry,
        changes=changes,
        register=register,
        positions=PositionTokens(secrets),
        pages=Pages(secrets.token_key),
        store=vaults,
    )


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
