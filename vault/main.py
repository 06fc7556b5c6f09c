# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server`: reads the configuration, and serves until told to stop.

In one process, or in several under a supervisor. Imports that take time stand inside, so that
`--help` and a wrong setting answer at once, and so that a supervisor stays small.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from vault import __version__
from vault.commands import fsck, notify, rebuild, tail, witness
from vault.configuration.config import Config, read_config, read_owner
from vault.configuration.settings import PREFIX, ConfigError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from vault.server.address import Address
    from vault.server.supervised import Line, Orders

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

_DEVELOPMENT_KEY_FILE: Final = "development-issuer.json"
_DEVELOPMENT_PEOPLE_FILE: Final = "development-people.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "prepare":
                code = _prepare()
            case "tail":
                code = _tail(options)
            case "fsck":
                code = _fsck(options)
            case "rebuild":
                code = _rebuild(options)
            case "witness":
                code = _witness(options)
            case "notify":
                code = _notify(options)
            case _:
                code = _serve(_settings(options))
    except ConfigError as error:
        _tell(str(error))
        code = EXIT_USAGE
    sys.exit(code)


def _settings(options: argparse.Namespace) -> dict[str, str]:
    settings = _stored_at(options)
    if options.listen:
        settings[f"{PREFIX}LISTEN"] = options.listen
    if options.development:
        settings[f"{PREFIX}ENVIRONMENT"] = "development"
    return settings


def _stored_at(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings, with the folder that the options name if they do."""
    return {**os.environ, **({f"{PREFIX}DATA": options.data} if options.data else {})}


def _serve(settings: dict[str, str]) -> int:
    from vault.server.supervised import take_line  # noqa: PLC0415

    config = read_config(settings)
    try:
        line = take_line(os.environ)
        if config.processes > 1 and line is None:
            return asyncio.run(supervise(config))
        import uvloop  # noqa: PLC0415

        return uvloop.run(serve(config, line))
    except _startup_errors() as error:
        _tell(f"The server cannot start: {error}")
        return EXIT_FAILED


async def serve(config: Config, line: Line | None = None) -> int:
    """Serve in this process until SIGTERM or SIGINT, and return the exit code.

    Args:
        line: to the supervisor, if this is one of several processes.
    """
    from vault.composition import compose, issuer_keys_of, verifier_of  # noqa: PLC0415
    from vault.server.address import Address, announced  # noqa: PLC0415
    from vault.server.call_logging import make_logger  # noqa: PLC0415
    from vault.server.serve import Server  # noqa: PLC0415

    log = make_logger()
    stop = asyncio.Event()
    fatal: list[BaseException] = []

    def fail(error: BaseException) -> None:
        fatal.append(error)
        stop.set()

    _on_signals(stop.set)
    async with AsyncExitStack() as parts:
        if line is None:
            orders = _orders(config, config.port, config.http_address[1], parts)
        else:
            orders = line.orders
            line.watch(stop.set)
            log = log.bind(process=orders.process)
        issuer_keys = issuer_keys_of(config, orders.jwks.encode())
        verifier = verifier_of(config, issuer_keys)
        use_cases = await compose(
            config, fail, parts, sweeps=orders.process == 0, issuer_keys=issuer_keys
        )
        server = Server(_at(config, orders), use_cases, verifier, log)
        _spare_what_stays()
        await server.start()
        parts.push_async_callback(server.drain)
        address = Address(server.target, server.url, orders.issuer)
        _log_serving(log, config, address)
        if line is None:
            parts.enter_context(announced(config.data, address))
        else:
            line.tell(address)
        await stop.wait()
        log.info("stopping")
        if fatal:
            # Nothing can be appended and nothing is pending: what stands is read on restart.
            _fail(log, fatal[0])
    return 0


def _spare_what_stays() -> None:
    # Code and tables stay for good, and what calls make is freed without a search for cycles: by
    # default it would be looked for all the time, in a memory full of states.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def supervise(config: Config) -> int:
    """Serve in several processes until SIGTERM or SIGINT, and return the exit code."""
    from vault.server.address import announced  # noqa: PLC0415
    from vault.server.call_logging import make_logger  # noqa: PLC0415
    from vault.server.shared_port import held  # noqa: PLC0415
    from vault.server.supervisor import Program, Supervisor  # noqa: PLC0415

    log = make_logger()
    async with AsyncExitStack() as parts:
        port = parts.enter_context(held((config.host, config.port)))
        http_port = parts.enter_context(held(config.http_address))
        orders = _orders(config, port, http_port, parts)

        def announce(address: Address) -> None:
            _log_serving(log, config, address)
            parts.enter_context(announced(config.data, address))

        # The same once more: this Python, its options, and all that followed.
        command = (sys.executable, *sys.orig_argv[1:])
        supervisor = Supervisor(
            config.processes,
            Program(command, os.environ, orders),
            announce,
            log,
            drain_seconds=config.limits.drain_seconds,
        )
        _on_signals(supervisor.stop)
        return await supervisor.run()


def _prepare() -> int:
    from vault.stores import prepare  # noqa: PLC0415

    owner = read_owner(os.environ)
    try:
        events, keys = prepare(owner)
    except _startup_errors() as error:
        _tell(f"Nothing is prepared, or not all: {error}")
        return EXIT_FAILED
    print("The event database and the key database are prepared.")  # noqa: T201 - the answer
    print("Whom the server logs in as needs a role in each:")  # noqa: T201 - likewise
    print(f"  GRANT {events} TO ...;")  # noqa: T201 - likewise
    print(f"  GRANT {keys} TO ...;")  # noqa: T201 - likewise
    return 0


def _orders(config: Config, port: int, http_port: int, parts: AsyncExitStack) -> Orders:
    """Return what serving processes are told, and start the development issuer if tokens need it.

    What a killed server told of its address holds no longer.
    """
    from vault.server.address import forget_killed  # noqa: PLC0415
    from vault.server.development.issuer import DevelopmentIssuer  # noqa: PLC0415
    from vault.server.supervised import Orders  # noqa: PLC0415

    forget_killed(config.data)
    if config.issuer:
        return Orders(0, port, http_port, config.issuer.name, "")
    issuer = DevelopmentIssuer(
        config.environment,
        config.audience,
        config.data / _DEVELOPMENT_KEY_FILE,
        config.data / _DEVELOPMENT_PEOPLE_FILE,
    )
    parts.callback(issuer.close)
    issuer.start()
    return Orders(0, port, http_port, issuer.url, issuer.jwks.decode())


def _at(config: Config, orders: Orders) -> Config:
    http_address = (config.http_address[0], orders.http_port)
    return dataclasses.replace(config, port=orders.port, http_address=http_address)


def _on_signals(stop: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _log_serving(log: FilteringBoundLogger, config: Config, address: Address) -> None:
    log.info("serving", target=address.target, http=address.http, environment=config.environment)


def _fail(log: FilteringBoundLogger, error: BaseException) -> None:
    from vault.server.call_logging import trace_of  # noqa: PLC0415

    log.critical("store failed", error=type(error).__name__, trace=trace_of(error))
    sys.stderr.flush()
    # At once: an answer that follows a failed COMMIT could be wrong.
    os._exit(EXIT_FAILED)


def _startup_errors() -> tuple[type[Exception], ...]:
    from eventsourcing.persistence import PersistenceError  # noqa: PLC0415

    from vault.domain.errors import VaultError  # noqa: PLC0415
    from vault.sealing.errors import SealingError  # noqa: PLC0415
    from vault.server.issuer_keys import KeySetError  # noqa: PLC0415
    from vault.stores import DriverMissingError, OneDatabaseError  # noqa: PLC0415

    return (
        PersistenceError,
        VaultError,
        SealingError,
        KeySetError,
        DriverMissingError,
        OneDatabaseError,
        OSError,
    )


def _tail(options: argparse.Namespace) -> int:
    config = read_config(_stored_at(options))
    try:
        answer = tail.run(options, config)
    except _startup_errors() as error:
        _tell(str(error))
        return EXIT_FAILED
    print(answer)  # noqa: T201 - the answer
    return 0


def _fsck(options: argparse.Namespace) -> int:
    return fsck.run(options, read_config(_stored_at(options)))


def _rebuild(options: argparse.Namespace) -> int:
    try:
        if options.exports:
            return rebuild.from_exports(options)
        return rebuild.run(options, read_config(_stored_at(options)))
    except _startup_errors() as error:
        _tell(f"Nothing is built: {error}")
        return EXIT_FAILED


def _witness(options: argparse.Namespace) -> int:
    from vault.witness.program import WitnessError  # noqa: PLC0415

    try:
        return witness.run(options)
    except (WitnessError, OSError) as error:
        _tell(f"The witness cannot start: {error}")
        return EXIT_FAILED


def _notify(options: argparse.Namespace) -> int:
    from vault.configuration.notifications import read_notifications  # noqa: PLC0415
    from vault.notifications.outbox import OutboxError  # noqa: PLC0415

    environment = _stored_at(options)
    if options.development:
        environment[f"{PREFIX}ENVIRONMENT"] = "development"
    config = read_config(environment)
    settings = read_notifications(environment, config.data, is_development=config.is_development)
    refusals: tuple[type[Exception], ...] = (
        notify.NotReadyError,
        OutboxError,
        *_startup_errors(),
    )
    try:
        return notify.run(options, config, settings)
    except refusals as error:
        _tell(f"Nobody is told: {error}")
        return EXIT_FAILED


def _tell(what: str) -> None:
    print(what, file=sys.stderr)  # noqa: T201 - what is wrong is for whoever started it


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
    commands.add_parser(
        "prepare",
        help="make the tables of both PostgreSQL databases, as their owner",
        description=f"Make the tables of both PostgreSQL databases, as their owner: reads "
        f"{PREFIX}OWNER_POSTGRES and {PREFIX}OWNER_POSTGRES_KEYS. Again does no harm.",
    )
    tail.add_commands(commands)
    witness.add_command(commands)
    notify.add_command(commands)
    fsck.add_command(commands)
    rebuild.add_command(commands)
    return parser


if __name__ == "__main__":
    main()
