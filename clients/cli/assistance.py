# SPDX-License-Identifier: Apache-2.0
"""For whom an official acts: by which channel she reached them, by what code, with what agreement.

Her code comes by option, environment or a question without echo. It goes to the server and nowhere
else: into no file, no JSON and no log.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.errors import UsageError

if TYPE_CHECKING:
    from clients.cli.output import Output
    from clients.wording.words import Words
    from vault.api.v1.vault_pb2 import Acting, Approval

CHANNELS: Final = ("counter", "phone", "letter")
CODE_VARIABLE: Final = "CITIZEN_VAULT_ASSISTANCE_CODE"
CHANNEL_VARIABLE: Final = "CITIZEN_VAULT_CHANNEL"
_PANEL: Final = "For whom you act"

_CHANNEL: Final = Annotated[
    str,
    typer.Option(
        "--channel",
        metavar="|".join(CHANNELS),
        help=f"How they reached you; or {CHANNEL_VARIABLE}.",
        rich_help_panel=_PANEL,
    ),
]
OPENING: Final[Mapping[str, Any]] = {"shared_channel": _CHANNEL}
ASSISTING: Final[Mapping[str, Any]] = {
    "shared_channel": _CHANNEL,
    "shared_code": Annotated[
        str,
        typer.Option(
            "--code",
            metavar="CODE",
            help="The code that they gave you. Others on this machine may see what is typed here: "
            f"better {CODE_VARIABLE}, or leave it out and you are asked.",
            rich_help_panel=_PANEL,
        ),
    ],
    "shared_reference": Annotated[
        str,
        typer.Option(
            "--reference",
            metavar="REF",
            help="Where their agreement is kept: the number of the signed letter, or of your note.",
            rich_help_panel=_PANEL,
        ),
    ],
}


@dataclasses.dataclass
class Assistance:
    """How an official acts for somebody."""

    channel: str
    typed_code: str = dataclasses.field(default="", repr=False)
    reference: str = ""

    @classmethod
    def typed(cls, *, channel: str = "", code: str = "", reference: str = "") -> Assistance:
        """Return what was typed, or stands in the environment.

        Raises:
            UsageError: if the channel is none of ours.
        """
        named = channel or os.environ.get(CHANNEL_VARIABLE, "")
        if named not in CHANNELS:
            what = f"There is no channel {named}." if named else "Say how they reached you."
            raise UsageError(what, "--channel counter, --channel phone or --channel letter")
        return cls(named, code or os.environ.get(CODE_VARIABLE, ""), reference)

    def opening(self) -> Acting:
        """Return how an official opens a vault for somebody who has no code yet."""
        return self._acting("")

    def acting(self, output: Output, words: Words) -> Acting:
        """Return how an official acts with her code, and ask for it where it is not known.

        Raises:
            UsageError: if nobody is there to be asked.
        """
        if not self.typed_code:
            if not output.is_interactive:
                raise UsageError(words("assist.code.missing"), f"--code CODE, or {CODE_VARIABLE}")
            self.typed_code = output.ask_secret(words("assist.code.ask"))
        return self._acting(self.typed_code)

    def approval(self, words: Words) -> Approval:
        """Return what shows that she agreed: the official's word, or the letter that she signed.

        Raises:
            UsageError: if she agreed by letter and nothing says by which.
        """
        from vault.api.v1 import vault_pb2  # noqa: PLC0415

        proof = self.reference.encode()
        if self.channel != "letter":
            return vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_STAFF_ASSISTED, proof=proof)
        if not proof:
            raise UsageError(words("assist.reference.missing"), "--reference REF")
        return vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_PAPER, proof=proof)

    def _acting(self, code: str) -> Acting:
        from vault.api.v1 import vault_pb2  # noqa: PLC0415

        return vault_pb2.Acting(
            capacity=vault_pb2.CAPACITY_OFFICIAL,
            channel=vault_pb2.Channel.Value(f"CHANNEL_{self.channel.upper()}"),
            assistance_code=code,
        )
