# SPDX-License-Identifier: Apache-2.0
"""Messages as e-mail by SMTP (RFC 5321), over TLS but on this machine: plain text, nothing to load.

`Message-ID` is the delivery's, so that a mail server that sees it twice can tell; `Auto-Submitted`
(RFC 3834) keeps absence notes from answering.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Final, Literal

from vault.domain.values import moment_of
from vault.notifications.message import NotSentError

if TYPE_CHECKING:
    from vault.notifications.message import Message

Tls = Literal["start", "implicit", "none"]

SECONDS: Final = 20.0
_FOR_GOOD: Final = 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes e-mail for us, and as whom we write. `repr` hides the password.

    Attributes:
        sender: as in a `From` header.
    """

    host: str
    port: int
    tls: Tls
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


class MailChannel:
    """Hands messages to a mail server."""

    def __init__(self, server: MailServer, *, trusted: ssl.SSLContext | None = None) -> None:
        """Hand them to this one.

        Args:
            trusted: whose certificates count; by default those that the system trusts.
        """
        self._server = server
        self._trusted = trusted or ssl.create_default_context()

    def send(self, message: Message) -> None:
        """Hand a message over.

        Raises:
            NotSentError: for good if the server refuses the address; else it may be sent again.
        """
        try:
            with self._connected() as connection:
                connection.send_message(self._mail_of(message))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            refused = all(code >= _FOR_GOOD for code in codes)
            raise NotSentError("the address is refused", for_good=refused) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # Never the message: a mail server may quote the address.
            raise NotSentError(f"the mail server: {type(error).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "implicit":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=SECONDS, context=self._trusted
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
        try:
            if server.tls == "start":
                connection.starttls(context=self._trusted)
            if server.user:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _mail_of(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._server.sender
        (mail["To"],) = message.address
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(moment_of(message.made))
        domain = parseaddr(self._server.sender)[1].rpartition("@")[2]
        mail["Message-ID"] = f"<{message.delivery_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = message.language
        mail.set_content(message.text)
        return mail
