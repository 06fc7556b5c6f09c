# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault passkey`: keys of her own, with which she shows that a decision is hers.

A command line makes none: a page does, or a program with an authenticator, and writes down what
`PublicKeyCredential.toJSON()` returns (W3C Web Authentication Level 3, section 5.1.8).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients import approving
from clients.cli.command import command, noun
from clients.cli.errors import UsageError
from clients.cli.numbers import short, whole_id
from clients.cli.session import Session
from clients.receipts import unb64
from clients.wording.times import moment

if TYPE_CHECKING:
    from vault.api.v1.vault_pb2 import Passkey
    from vault.api.v1.vault_service_pb2 import AddPasskeyRequest, ListPasskeysResponse

app = noun("Passkeys, with which you show that a decision is yours.")

_ALGORITHMS: Final = {-7: 1, -8: 2, -257: 3}
"""Values of `PasskeyAlgorithm` by their numbers in COSE (RFC 9053)."""
_MOST: Final = 500


@command(app, "add", for_citizens=True)
def add(
    session: Session,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What the page wrote when the passkey was made.")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Add it without asking again.")] = False,
) -> None:
    """Add a passkey. You sign in again for it, so that nobody else can add one."""
    words, output, vaults = session.words, session.output, session.connection.vaults
    request = _request(session, file)
    preview = vaults.AddPasskey(request)
    challenge = approving.to_add_passkey(preview, request)
    if not yes and not session.agrees(words("passkey.ask", site=preview.passkey.rp_id)):
        output.tell(words("nothing.changed"))
        return
    request.validate_only = False
    request.shown.CopyFrom(preview.shown)
    if approval := session.approval_of(challenge):
        request.approval.CopyFrom(approval)
    response = vaults.AddPasskey(request)
    if output.is_json:
        output.message(response)
        return
    output.say(words("passkey.added"), "bold")
    output.say(words("to.remove.passkey", id=short(response.passkey.passkey_id)))


@command(app, "list", for_citizens=True)
def list_passkeys(session: Session) -> None:
    """Show your passkeys, and which were removed."""
    response = _passkeys(session)
    if session.output.is_json:
        session.output.message(response)
        return
    words = session.words
    if not response.passkeys:
        session.output.say(words("no.passkeys"))
        return
    session.output.table(
        [words("column.number"), words("column.since"), words("column.state")],
        [
            (short(one.passkey_id), moment(one.add_time, words), _state(session, one))
            for one in response.passkeys
        ],
        unbroken=(0,),
    )


@command(app, "remove", for_citizens=True)
def remove(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
    ],
) -> None:
    """Remove a passkey, at once: nothing can be approved with it any more."""
    from vault.api.v1.vault_service_pb2 import RemovePasskeyRequest  # noqa: PLC0415

    response = session.connection.vaults.RemovePasskey(
        RemovePasskeyRequest(
            request_id=session.request_id,
            acting=session.acting,
            passkey_id=whole_id(
                number,
                lambda: [one.passkey_id for one in _passkeys(session).passkeys],
                session.words,
            ),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("passkey.removed"))


def _request(session: Session, file: str) -> AddPasskeyRequest:
    """Return what asks to add the passkey of a file.

    Raises:
        UsageError: if the file holds none.
    """
    from vault.api.v1.vault_service_pb2 import AddPasskeyRequest  # noqa: PLC0415

    try:
        made: Any = json.loads(Path(file).read_bytes())
        return AddPasskeyRequest(
            request_id=session.request_id,
            acting=session.acting,
            credential=unb64(made["rawId"]),
            algorithm=_ALGORITHMS[made["response"]["publicKeyAlgorithm"]],  # type: ignore[arg-type]
            public_key=unb64(made["response"]["publicKey"]),
            validate_only=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(session.words("passkey.unreadable", file=file)) from None


def _passkeys(session: Session) -> ListPasskeysResponse:
    from vault.api.v1.vault_service_pb2 import ListPasskeysRequest  # noqa: PLC0415

    request = ListPasskeysRequest(acting=session.acting, page_size=_MOST)
    response: ListPasskeysResponse = session.connection.vaults.ListPasskeys(request)
    return response


def _state(session: Session, one: Passkey) -> str:
    words = session.words
    if not one.HasField("remove_time"):
        return words("passkey.in.use")
    return words("passkey.ended", time=moment(one.remove_time, words))
