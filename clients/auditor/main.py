# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-auditor`: verifies a history, a whole log, or receipts, and says what it found.

Nothing is fetched and nothing is written. The files are JSON lines, one record a line, with
leaf_index, stream_id, version, entry, link, facts: what `citizen-vault audit` and `citizen-vault
export` write.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from clients.auditor import silence
from clients.auditor.audit import AsOf, End, Export, audit
from clients.auditor.canonical import FormError, is_time, parse, unb64
from clients.auditor.desk import Progress
from clients.auditor.log import audit_log
from clients.auditor.note import ED25519, Key
from clients.auditor.payloads import Payloads, read_payloads
from clients.auditor.policy import parse_policy
from clients.auditor.promises import judge_receipts
from clients.auditor.provider import read_provider
from clients.auditor.report import as_json, as_text
from clients.auditor.service import audit_service
from clients.auditor.trust import Trust

EXPORT_FORM = "citizen-vault/export/1"
EPILOG = """\
verdicts, in order of precedence:
  FAILED                something was changed, hidden or not allowed: where, and why
  NOT SHOWN TO BE HERS  a decision that only she can make has no proof that she made it
  WITHHELD              records were deleted after their clock, or proofs are sealed from you
  UNSIGNED              no checkpoint of the log was shown that covers everything
  CONSISTENT ONLY       signed, but no quorum of independent witnesses signed, or no key was pinned,
                        or nobody said which sign-in is hers (--provider-keys)
  VERIFIED              the log is the one of the pinned key, and independent witnesses signed it

exit codes:
  0  VERIFIED
  1  FAILED or NOT SHOWN TO BE HERS
  2  usage: an argument is wrong, or a file cannot be read
  3  any other verdict
"""


class _UsageError(Exception):
    """An argument is wrong; the message names it."""


def main(arguments: list[str] | None = None) -> int:
    """Run the verifier and return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], tuple[int, dict[str, Any], Iterator[str]]] = given.run
    try:
        code, answers, text = run(given)
    except _UsageError as error:
        parser.error(_printable(str(error)))
    except OSError as error:
        parser.error(f"cannot read {error.filename}: {error.strerror}")
    if given.json:
        print(json.dumps(answers, indent=2))
    else:
        print("\n".join(map(_printable, text)))
    return code


def _printable(line: str) -> str:
    """Escape what could steer a terminal, look like further lines, or read as something else."""
    return re.sub("[^ -~]", lambda found: ascii(found[0])[1:-1], line)


def _history(given: argparse.Namespace) -> tuple[int, dict[str, Any], Iterator[str]]:
    folder = given.vault_file if given.vault_file.is_dir() else None
    vault = folder / "history.jsonl" if folder else given.vault_file
    registry = given.registry or (folder / "registry.jsonl" if folder else None)
    if registry is None:
        raise _UsageError("argument --registry: needed, unless a folder is given")
    if given.as_of and not is_time(given.as_of):
        raise _UsageError("argument --as-of: write a time as 2026-03-04T14:02:07.123000Z")
    with vault.open("rb") as vault_lines, registry.open("rb") as registry_lines:
        export = Export(
            vault_lines,
            registry_lines,
            proofs=_proofs(given.proofs or (folder / "proofs.jsonl" if folder else None)),
            payloads=_payloads(folder / "payloads.jsonl") if folder else None,
            receipts=[path.read_bytes() for path in given.receipt],
            checkpoints=[path.read_bytes() for path in given.checkpoint],
            operations=_operations(folder),
            end=_end(folder / "export.json") if folder else None,
        )
        keys = given.provider_keys
        report = audit(
            export,
            _trust(given),
            provider=_read("--provider-keys", read_provider, keys.read_bytes()) if keys else None,
            as_of=AsOf(version=given.as_of_version, time=given.as_of),
            progress=_progress(0),
        )
    if given.as_of_version > report.version:
        raise _UsageError(f"argument --as-of-version: the history ends at version {report.version}")
    return report.exit, as_json(report), as_text(report)


def _log(given: argparse.Namespace) -> tuple[int, dict[str, Any], Iterator[str]]:
    report = audit_log(
        given.log_file,
        _trust(given),
        registry=given.registry,
        checkpoints=[path.read_bytes() for path in given.checkpoint],
        receipts=[path.read_bytes() for path in given.receipt],
        processes=given.processes,
        progress=_progress(given.log_file.stat().st_size),
    )
    return report.exit, report.as_json(), report.as_text()


def _receipt(given: argparse.Namespace) -> tuple[int, dict[str, Any], Iterator[str]]:
    report = judge_receipts([path.read_bytes() for path in given.receipts], _trust(given))
    return report.exit, report.as_json(), report.as_text()


def _silence(given: argparse.Namespace) -> tuple[int, dict[str, Any], Iterator[str]]:
    with given.silence_file.open("rb") as lines:
        found = silence.prove_silence(lines, _trust(given))
    return found.exit, silence.as_json(found), silence.as_text(found)


def _service(given: argparse.Namespace) -> tuple[int, dict[str, Any], Iterator[str]]:
    with given.log_file.open("rb") as lines:
        report = audit_service(
            lines,
            _trust(given),
            [path.read_bytes() for path in given.checkpoint],
            _progress(given.log_file.stat().st_size),
        )
    return report.exit, report.as_json(), report.as_text()


def _trust(given: argparse.Namespace) -> Trust:
    policy = given.policy
    return Trust(
        pinned=tuple(_read("--log-key", _log_key, key) for key in given.log_key),
        policy=_read("--policy", parse_policy, policy.read_bytes()) if policy else None,
        receipt_keys=tuple(_read("--receipt-key", _receipt_key, key) for key in given.receipt_key),
    )


def _log_key(text: str) -> Key:
    return Key.parse(text, ED25519)


def _receipt_key(text: str) -> bytes:
    return unb64(text, 32)


def _read(option: str, read: Callable[[Any], Any], given: Any) -> Any:
    try:
        return read(given)
    except FormError as error:
        raise _UsageError(f"argument {option}: {error}") from None


def _proofs(path: Path | None) -> dict[tuple[str, int], str]:
    """Read `proofs.jsonl`: what is no proof there proves nothing, and is found as such."""
    proofs: dict[tuple[str, int], str] = {}
    if path is None or not path.exists():
        return proofs
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        value = _read(f"{path.name}, line {number}", parse, line)
        if not isinstance(value, dict) or value.keys() != {"leaf_index", "origin", "proof"}:
            raise _UsageError(f"{path.name}: line {number} is no proof")
        index, origin, text = value["leaf_index"], value["origin"], value["proof"]
        if type(index) is not int or not isinstance(origin, str) or not isinstance(text, str):
            raise _UsageError(f"{path.name}: line {number} is no proof")
        proofs[origin, index] = text
    return proofs


def _end(path: Path) -> End | None:
    if not path.exists():
        return None
    told = _read(path.name, parse, path.read_bytes())
    try:
        if told["form"] != EXPORT_FORM:
            raise _UsageError(f"{path.name}: is of another form than {EXPORT_FORM}")
        return End(told["origin"], told["vault_id"], told["version"], told["leaf"])
    except (KeyError, TypeError):
        raise _UsageError(f"{path.name}: does not say where the history ends") from None


def _operations(folder: Path | None) -> list[bytes] | None:
    path = folder / "operations.jsonl" if folder else None
    return path.read_bytes().splitlines(keepends=True) if path and path.exists() else None


def _payloads(path: Path) -> Payloads | None:
    if not path.exists():
        return None
    with path.open("rb") as lines:
        payloads: Payloads = _read(path.name, read_payloads, lines)

    def read_file(name: str) -> bytes | None:
        file = path.parent / name
        return file.read_bytes() if file.is_file() else None

    payloads.read_file = read_file
    return payloads


def _progress(size_bytes: int) -> Progress | None:
    """Say on standard error how far it has come, if somebody looks; of a known size, until when."""
    if not sys.stderr.isatty():
        return None
    begun, of_a_line = monotonic(), 1_650

    def say(lines: int) -> None:
        seconds = max(monotonic() - begun, 0.001)
        rest = max(size_bytes / of_a_line - lines, 0) * seconds / lines
        until = f", about {rest:,.0f} s left" if size_bytes else ""
        rate = f"{lines / seconds:,.0f} a second"
        print(f"\r{lines:,} records, {rate}{until}  ", end="", file=sys.stderr)

    return say


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common)
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="citizen-vault-auditor",
        description="Verify what a citizen vault shows, without the vault.",
        epilog=EPILOG,
        formatter_class=form,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, text: str, run: Callable[..., Any]) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, description=text, epilog=EPILOG, formatter_class=form, parents=[common]
        )
        made.set_defaults(run=run)
        return made

    history = add("history", "Verify the history of one vault.", _history)
    _add_history(history)
    log = add("log", "Verify a whole log: every record of a lane.", _log)
    log.add_argument("log_file", metavar="LOG_EXPORT", type=Path, help="its records, all of them")
    log.add_argument("--registry", metavar="FILE", type=Path, help="for every lane but 0")
    log.add_argument("--processes", metavar="N", type=_count, default=1, help="that share the work")
    service = add("service", "Verify what an auditor of one service was sent of a log.", _service)
    service.add_argument("log_file", metavar="LOG_EXPORT", type=Path, help="from leaf 0 on")
    service.add_argument(
        "--checkpoint", metavar="FILE", type=Path, action="append", default=[],
        help="a checkpoint of the log that somebody kept; may be given more than once",
    )  # fmt: skip
    silent = add("silence", "Verify that nothing left since a consent was revoked.", _silence)
    silent.add_argument("silence_file", metavar="FILE", type=Path, help="what was written of it")
    receipt = add("receipt", "Verify receipts by themselves, with their proofs.", _receipt)
    receipt.add_argument("receipts", metavar="FILE", type=Path, nargs="+", help="a receipt")
    for command in (history, log):
        kept = "that somebody kept; may be given more than once"
        command.add_argument(
            "--checkpoint", metavar="FILE", type=Path, action="append", default=[],
            help=f"a checkpoint of the log {kept}",
        )  # fmt: skip
        command.add_argument(
            "--receipt", metavar="FILE", type=Path, action="append", default=[],
            help=f"a receipt {kept}",
        )  # fmt: skip
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log-key", metavar="VKEY", action="append", default=[],
        help="the key of the log, as you know it from elsewhere (C2SP signed-note)",
    )  # fmt: skip
    parser.add_argument(
        "--policy", metavar="FILE", type=Path,
        help="which logs and witnesses you trust, and how many of them (C2SP tlog-policy)",
    )  # fmt: skip
    parser.add_argument(
        "--receipt-key", metavar="KEY", action="append", default=[],
        help="a receipt key that you know from elsewhere: 32 bytes as base64url",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "vault_file", metavar="VAULT_FILE", type=Path,
        help="the vault's records, or the folder that she exported",
    )  # fmt: skip
    parser.add_argument("--registry", metavar="FILE", type=Path, help="the registry's records")
    parser.add_argument("--proofs", metavar="FILE", type=Path, help="proofs.jsonl of both")
    parser.add_argument(
        "--provider-keys",
        metavar="JWKS",
        type=Path,
        help="the keys of her sign-in provider; beside `keys`, which sign-in is hers: issuer, "
        "client_id and sub",
    )
    moment = parser.add_mutually_exclusive_group()
    moment.add_argument(
        "--as-of-version", metavar="N", type=_count, default=0,
        help="answer what was allowed after this version of the vault; default: the last",
    )  # fmt: skip
    moment.add_argument(
        "--as-of", metavar="TIME", default="",
        help="answer what was allowed at this time, UTC with six fraction digits",
    )  # fmt: skip


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("write a number from 1")
    return number
