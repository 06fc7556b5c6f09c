# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault operate`: the operator's own history, which everybody may read.

What went wrong is published with the entries that it touches; what was done past the program is
recorded. The rest a server records by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import UsageError
from clients.cli.session import Session
from clients.receipts import b64
from clients.wording.published import whole_list
from clients.wording.times import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.api.v1.operation_pb2 import EntryRange, FaultNotice, KnownFault, Operation

app = noun("What runs, what was restored, which keys were used, what went wrong.")
faults = noun("Known faults: what went wrong, and the entries that it touches.")
app.add_typer(faults, name="fault")

ACTS: Final = {
    "access-to-host": 1,
    "access-to-database": 2,
    "access-to-backup": 3,
    "access-to-keys": 4,
    "configuration": 5,
    "other": 6,
}
DEFAULT_LIMIT: Final = 50
_RANGE: Final = re.compile(r"(?P<origin>\S+):(?P<first>[0-9]{1,15})-(?P<last>[0-9]{1,15})")

RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="UUID",
        help="Repeat an earlier command safely: the id that it failed with.",
    ),
]


@command(app, "list")
def list_operations(
    session: Session,
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="At most this many; 0 is all.")
    ] = DEFAULT_LIMIT,
) -> None:
    """Show what the operator recorded, newest first."""
    from vault.api.v1.operations_service_pb2 import ListOperationsRequest  # noqa: PLC0415

    call = session.connection.operations.ListOperations
    whole = whole_list(call, ListOperationsRequest(), "operations", limit)
    if session.output.is_json:
        session.output.message(whole)
        return
    session.output.table(
        ["When", "What", "More", "Entry"],
        [
            (
                utc(one.time).replace("T", "\n"),
                one.type.rpartition(".")[0],
                _more(one),
                str(one.receipt.leaf_index),
            )
            for one in whole.operations
        ],
        unbroken=(0, 1),
        right=(3,),
    )


@command(app, "act")
def act(
    session: Session,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(ACTS)}.")],
    *,
    note: Annotated[
        str,
        typer.Option("--note", metavar="TEXT", help="What was done and why. It is public."),
    ],
    request_id: RequestId = "",
) -> None:
    """Record that you did something past the program. Operators only; name nobody."""
    from vault.api.v1.operations_service_pb2 import RecordActRequest  # noqa: PLC0415

    number = ACTS.get(kind)
    if number is None:
        raise UsageError("There is no such kind.", ", ".join(ACTS))
    session.request_id = request_id or session.request_id
    response = session.connection.operations.RecordAct(
        RecordActRequest(
            request_id=session.request_id,
            act=number,  # type: ignore[arg-type]
            note=note,
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.facts([("Recorded as entry", str(response.operation.receipt.leaf_index))])


@command(faults, "publish")
def publish(
    session: Session,
    *,
    ranges: Annotated[
        list[str],
        typer.Option(
            "--entries",
            metavar="LOG:FIRST-LAST",
            help="The entries that it touches, the last included; repeat it for more.",
        ),
    ],
    titles: Annotated[
        list[str],
        typer.Option("--title", metavar="LANGUAGE=TEXT", help="What it is called; en is needed."),
    ],
    texts: Annotated[
        list[str],
        typer.Option(
            "--text",
            metavar="LANGUAGE=TEXT",
            help="What went wrong, what it means for people, what was done.",
        ),
    ],
    help_lines: Annotated[
        list[str],
        typer.Option("--help-line", metavar="LANGUAGE=TEXT", help="Whom to ask."),
    ],
    request_id: RequestId = "",
) -> None:
    """Publish a known fault: whoever has an entry there sees it. Operators only."""
    from vault.api.v1.operations_service_pb2 import PublishKnownFaultRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    response = session.connection.operations.PublishKnownFault(
        PublishKnownFaultRequest(
            request_id=session.request_id,
            ranges=[_range(typed) for typed in ranges],
            notices=_notices(titles, texts, help_lines),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    published = response.operation
    session.output.facts(
        [
            ("Fault", published.known_fault.fault_id),
            ("Published as entry", str(published.receipt.leaf_index)),
        ]
    )


def _range(typed: str) -> EntryRange:
    from vault.api.v1.operation_pb2 import EntryRange  # noqa: PLC0415

    found = _RANGE.fullmatch(typed)
    if found is None:
        raise UsageError("Entries are named as LOG:FIRST-LAST.", "--entries vault.example/0:20-24")
    return EntryRange(
        origin=found["origin"],
        first_leaf_index=int(found["first"]),
        end_leaf_index=int(found["last"]) + 1,
    )


def _notices(
    titles: Sequence[str], texts: Sequence[str], help_lines: Sequence[str]
) -> list[FaultNotice]:
    from vault.api.v1.operation_pb2 import FaultNotice  # noqa: PLC0415

    title, text, help_line = (_by_language(typed) for typed in (titles, texts, help_lines))
    if not title.keys() == text.keys() == help_line.keys():
        raise UsageError("Say title, text and help line in the same languages.")
    return [
        FaultNotice(
            language=language,
            title=title[language],
            text=text[language],
            help_line=help_line[language],
        )
        for language in title
    ]


def _by_language(typed: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for one in typed:
        language, equals, text = one.partition("=")
        if not equals or language in found:
            raise UsageError("Each language stands once, as LANGUAGE=TEXT.", "en=...")
        found[language] = text
    return found


def _more(one: Operation) -> str:
    match one.WhichOneof("what"):
        case "release_started":
            release = one.release_started
            return f"release {release.release}\nfiles {b64(release.program_hash)}"
        case "store_migrated":
            migrated = one.store_migrated
            return f"{migrated.store}, form {migrated.before} to {migrated.after}"
        case "store_restored":
            restored = one.store_restored
            return f"lane {restored.lane}: {restored.appended} put back after {restored.size}"
        case "key_used":
            return f"{one.key_used.key} key {one.key_used.key_id}, to {one.key_used.use}"
        case "administrator_acted":
            kinds = {number: kind for kind, number in ACTS.items()}
            acted = one.administrator_acted
            return f"{kinds.get(acted.act, 'other')}: {acted.note}"
        case _:
            return _fault(one.known_fault)


def _fault(fault: KnownFault) -> str:
    english = next((one.title for one in fault.notices if one.language == "en"), "")
    entries = ", ".join(
        f"{one.origin}:{one.first_leaf_index}-{one.end_leaf_index - 1}" for one in fault.ranges
    )
    return f"{english}\n{entries}"
