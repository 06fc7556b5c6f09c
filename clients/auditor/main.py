# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-auditor`: verifies an exported history and prints what it found.

The export is what `citizen-vault audit replay --out FILE` writes: JSON lines, one record a line,
with leaf_index, stream_id, version, entry, link, facts. A receipt file is one JSON object. Nothing
is fetched and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from clients.auditor.audit import AsOf, audit
from clients.auditor.canonical import FormError, is_time, unb64
from clients.auditor.report import as_json, as_text

EPILOG = """\
verdicts:
  CONSISTENT ONLY  all that was shown holds together and every use was allowed
  WITHHELD         likewise, but the contents of some records were not shown
  FAILED           something was changed, hidden or not allowed: where, and why

exit codes:
  0  CONSISTENT ONLY
  1  FAILED or WITHHELD
  2  usage: an argument is wrong, or a file cannot be read
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the verifier and return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        keys = [unb64(key, 32) for key in given.receipt_key]
    except FormError as error:
        parser.error(f"argument --receipt-key: {error}")
    if given.as_of and not is_time(given.as_of):
        parser.error("argument --as-of: write a time as 2026-03-04T14:02:07.123000Z")
    try:
        receipts = [path.read_bytes() for path in given.receipt]
        with given.vault_file.open("rb") as vault, given.registry.open("rb") as registry:
            report = audit(
                vault,
                registry,
                receipts,
                receipt_keys=keys,
                as_of=AsOf(version=given.as_of_version, time=given.as_of),
                progress=_say_progress,
            )
    except OSError as error:
        parser.error(f"cannot read {error.filename}: {error.strerror}")
    if given.as_of_version > report.version:
        parser.error(f"argument --as-of-version: the history ends at version {report.version}")
    if given.json:
        print(json.dumps(as_json(report), indent=2))
    else:
        print("\n".join(as_text(report)))
    return report.exit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="citizen-vault-auditor",
        description="Verify the exported history of one vault by the auditor's rule.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("vault_file", metavar="VAULT_FILE", type=Path, help="the vault's records")
    parser.add_argument(
        "--registry",
        metavar="REGISTRY_FILE",
        type=Path,
        required=True,
        help="the registry's records",
    )
    parser.add_argument(
        "--receipt",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a receipt of this vault that somebody holds; may be given more than once",
    )
    parser.add_argument(
        "--receipt-key",
        metavar="KEY",
        action="append",
        default=[],
        help="a receipt key that you know from elsewhere: 32 bytes as base64url; likewise",
    )
    moment = parser.add_mutually_exclusive_group()
    moment.add_argument(
        "--as-of-version",
        metavar="N",
        type=_version,
        default=0,
        help="answer what was allowed after this version of the vault; default: the last",
    )
    moment.add_argument(
        "--as-of",
        metavar="TIME",
        default="",
        help="answer what was allowed at this time, UTC with six fraction digits",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _version(text: str) -> int:
    version = int(text)
    if version < 1:
        raise argparse.ArgumentTypeError("versions begin at 1")
    return version


def _say_progress(lines: int) -> None:
    print(f"{lines} records read", file=sys.stderr)
