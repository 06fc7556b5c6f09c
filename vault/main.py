# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server`: reads the configuration, composes the parts, runs until told to stop.

The only place where everything is known to everything. Imports that take time stand inside, so that
`--help` and a wrong setting answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

from vault import __version__
from vault.config import PREFIX, Config, ConfigError, read_config
from vault.domain.errors import VaultError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from projections.change_feed import ChangeFeed
    from projections.consent_register import ConsentRegister
    from projections.runner import Runner
    from vault.application.documents import Documents
    from vault.sealing.keystore import KeyStore
    from vault.server.identity import Verifier
    from vault.server.services import UseCases
    from vault.store.vaults import Vaults

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

_Fail = Callable[[BaseException], None]

_EVENTS_FILE: Final = "events.db"
_KEYS_FILE: Final = "keys.db"
_DOCUMENTS_FOLDER: Final = "documents"
_VIEWS_FOLDER: Final = "views"
_SWEEP_SECONDS: Final = 24 * 3600


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process."""
    options = _parser().parse_args(arguments)
    settings = dict(os.environ)
    if options.data:
        settings[f"{PREFIX}DATA"] = options.data
    if options.listen:
        settings[f"{PREFIX}LISTEN"] = options.listen
    if options.development:
        settings[f"{PREFIX}ENVIRONMENT"] = "development"
    try:
        config = read_config(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - what is wrong is for whoever started it
        sys.exit(EXIT_USAGE)
    sys.exit(asyncio.run(serve(config)))


async def serve(config: Config) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    from vault.server.call_logging import make_logger  # noqa: PLC0415
    from vault.server.serve import Server, address_file, announced  # noqa: PLC0415

    log = make_logger()
    stop = asyncio.Event()
    fatal: list[BaseException] = []

    def fail(error: BaseException) -> None:
        fatal.append(error)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as parts:
            address_file(config.data).unlink(missing_ok=True)
            verifier, issuer = _identity(config, parts)
            use_cases = await _compose(config, fail, parts)
            server = Server(config, use_cases, verifier, log)
            await server.start()
            parts.push_async_callback(server.drain)
            parts.enter_context(announced(config.data, server, issuer))
            log.info(
                "serving",
                target=server.target,
                http=server.url,
                environment=config.environment,
            )
            await stop.wait()
            log.info("stopping")
            if fatal:
                # Nothing can be appended and nothing is pending: what stands is read on restart.
                _fail(log, fatal[0])
    except _startup_errors() as error:
        print(f"The server cannot start: {error}", file=sys.stderr)  # noqa: T201 - see above
        return EXIT_FAILED
    return 0


def _fail(log: FilteringBoundLogger, error: BaseException) -> None:
    from vault.server.call_logging import trace_of  # noqa: PLC0415

    log.critical("store failed", error=type(error).__name__, trace=trace_of(error))
    sys.stderr.flush()
    # At once: an answer that follows a failed COMMIT could be wrong.
    os._exit(EXIT_FAILED)


def _startup_errors() -> tuple[type[Exception], ...]:
    from eventsourcing.persistence import PersistenceError  # noqa: PLC0415

    from vault.sealing.errors import SealingError  # noqa: PLC0415
    from vault.server.issuer_keys import KeySetError  # noqa: PLC0415

    return (PersistenceError, SealingError, KeySetError, OSError)


def _identity(config: Config, parts: AsyncExitStack) -> tuple[Verifier, str]:
    """Return who verifies access tokens, and where they are issued."""
    from vault.server.development_issuer import ISSUER, DevelopmentIssuer  # noqa: PLC0415
    from vault.server.identity import Verifier  # noqa: PLC0415
    from vault.server.issuer_keys import FetchedKeys, FixedKeys, IssuerKeys  # noqa: PLC0415

    issuer = config.issuer
    if issuer is None:
        development = DevelopmentIssuer(config.environment, config.audience)
        parts.callback(development.close)
        development.start()
        keys: IssuerKeys = FixedKeys(development.jwks)
        return Verifier(ISSUER, config.audience, keys), development.url
    keys = (
        FixedKeys(issuer.jwks_file.read_bytes())
        if issuer.jwks_file
        else FetchedKeys(issuer.jwks_url)
    )
    return Verifier(issuer.name, issuer.audience, keys), issuer.name


async def _compose(config: Config, fail: _Fail, parts: AsyncExitStack) -> UseCases:
    """Build everything that handlers stand on; `parts` closes it in the other order."""
    from vault.application.amendments import Amendments  # noqa: PLC0415
    from vault.application.audits import Audits  # noqa: PLC0415
    from vault.application.claims import Claims  # noqa: PLC0415
    from vault.application.consents import Consents  # noqa: PLC0415
    from vault.application.desk import Desk  # noqa: PLC0415
    from vault.application.disclosures import Disclosures  # noqa: PLC0415
    from vault.application.disputes import Disputes  # noqa: PLC0415
    from vault.application.documents import Documents  # noqa: PLC0415
    from vault.application.evidence import EvidenceKeeper  # noqa: PLC0415
    from vault.application.identifiers import Identifiers  # noqa: PLC0415
    from vault.application.keyrings import Keyrings  # noqa: PLC0415
    from vault.application.positions import PositionTokens  # noqa: PLC0415
    from vault.application.receipts import Receipts  # noqa: PLC0415
    from vault.application.registry import Registry  # noqa: PLC0415
    from vault.application.requests import Requests  # noqa: PLC0415
    from vault.application.vaults import CitizenVaults  # noqa: PLC0415
    from vault.server.paging import Pages  # noqa: PLC0415
    from vault.server.services import UseCases  # noqa: PLC0415
    from vault.store.document_folder import FolderDocumentStore  # noqa: PLC0415

    key_store = _open_keys(config, parts)
    secrets = key_store.secrets()
    vaults = _open_vaults(config, fail)
    parts.push_async_callback(vaults.aclose)
    vaults.committer.start()
    keyrings = Keyrings(key_store)
    parts.callback(keyrings.close)

    identifiers = Identifiers(secrets, config.origin)
    receipts = Receipts(secrets, config.origin)
    desk = Desk(vaults, keyrings, identifiers)
    registry = Registry(vaults, identifiers, receipts)
    await registry.list_receipt_key()
    evidence = EvidenceKeeper(desk, registry, receipts)
    store = FolderDocumentStore(config.data / _DOCUMENTS_FOLDER)
    documents = Documents(desk, registry, receipts, evidence, store)
    parts.callback(documents.close)
    sweeping = asyncio.create_task(_sweep(documents))
    parts.callback(sweeping.cancel)
    disclosures = Disclosures(desk, registry, receipts, documents)
    parts.push_async_callback(disclosures.drain)
    requests = Requests(desk, registry)
    changes, register = _follow(config, vaults, parts)
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


def _follow(
    config: Config, vaults: Vaults, parts: AsyncExitStack
) -> tuple[Runner[ChangeFeed], Runner[ConsentRegister]]:
    """Begin to follow events into views."""
    from projections.change_feed import ChangeFeed  # noqa: PLC0415
    from projections.consent_register import ConsentRegister  # noqa: PLC0415
    from projections.runner import Runner  # noqa: PLC0415

    folder = config.data / _VIEWS_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    changes = Runner(ChangeFeed, vaults, folder)
    parts.push_async_callback(changes.aclose)
    register = Runner(ConsentRegister, vaults, folder)
    parts.push_async_callback(register.aclose)
    changes.start()
    register.start()
    return changes, register


async def _sweep(documents: Documents) -> None:
    """Delete orphans now and then; what goes wrong once is tried again the next day."""
    while True:
        with suppress(VaultError):
            await documents.sweep()
        await asyncio.sleep(_SWEEP_SECONDS)


def _open_keys(config: Config, parts: AsyncExitStack) -> KeyStore:
    from vault.sealing.sqlite import SQLiteKeyStore  # noqa: PLC0415
    from vault.sealing.wrapper import FileKeyWrapper, create_key_file  # noqa: PLC0415

    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = config.data / _KEYS_FILE
    # A new deployment draws its key; a key file that is missing later is never replaced.
    if not config.key_file.exists() and not path.exists():
        create_key_file(config.key_file)
    key_store = SQLiteKeyStore(path, FileKeyWrapper(config.key_file))
    parts.callback(key_store.close)
    return key_store


def _open_vaults(config: Config, fail: _Fail) -> Vaults:
    from vault.store.clock import SystemClock  # noqa: PLC0415
    from vault.store.committer import Committer  # noqa: PLC0415
    from vault.store.vaults import Vaults  # noqa: PLC0415

    return Vaults(
        config.origin,
        SystemClock(),
        lambda recorder: Committer(recorder, on_fatal=fail),
        {
            "PERSISTENCE_MODULE": config.store,
            "SQLITE_DBNAME": str(config.data / _EVENTS_FILE),
        },
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="citizen-vault-server",
        description="The server of the citizen vault.",
        epilog=f"Every setting is an environment variable {PREFIX}...; options go before them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("serve", help="serve until SIGTERM, which drains")
    command.add_argument("--data", metavar="DIR", help="the folder of the databases")
    command.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="where to listen, on loopback; port 0 takes a free one",
    )
    command.add_argument(
        "--development",
        action="store_true",
        help="believe everybody who signs in: a token issuer of its own, and reflection",
    )
    return parser


if __name__ == "__main__":
    main()
