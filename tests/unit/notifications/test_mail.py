# SPDX-License-Identifier: Apache-2.0
"""E-mail by SMTP, to a mail server on this machine that speaks TLS and refuses on purpose."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vault.notifications.mail import MailChannel, MailServer, Tls
from vault.notifications.message import Message, NotSentError

SENDER: Final = "Your information <no-reply@vault.aber.example>"
MESSAGE: Final = Message(
    delivery_id="d0d0d0d0-1111-4000-8000-000000000001",
    made="2026-03-02T09:00:00.000000Z",
    again=False,
    way="email",
    language="cy",
    address=("mair@example.org",),
    subject="Mae rhywbeth newydd i chi — heddiw",
    text="Mae rhywbeth newydd i chi\n\nhttps://vault.aber.example/",
)


@dataclass
class Post:
    """A mail server: what it took, over what, and what it answers to which command."""

    port: int = 0
    certificate: Path = Path()
    context: ssl.SSLContext | None = None
    is_implicit: bool = False
    answers: dict[str, bytes] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    was_sealed: bool = False


class Session(socketserver.StreamRequestHandler):
    """One connection, as RFC 5321 has it."""

    post: Post

    def handle(self) -> None:
        if self.post.is_implicit:
            self.wrap()
        self.say(b"220 ready")
        while line := self.rfile.readline():
            verb = line.split()[0].decode().upper()
            self.post.commands.append(verb)
            answer = self.post.answers.get(verb)
            if answer is not None:
                self.say(answer)
            elif verb == "EHLO":
                self.say(b"250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS")
            elif verb == "STARTTLS":
                self.say(b"220 go on")
                self.wrap()
            elif verb == "AUTH":
                self.say(b"235 known")
            elif verb == "DATA":
                self.say(b"354 go on")
                self.take()
            elif verb == "QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 good")

    def take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.post.taken.append(b"".join(lines))
        self.post.was_sealed = isinstance(self.request, ssl.SSLSocket)
        self.say(b"250 taken")

    def wrap(self) -> None:
        assert self.post.context is not None
        self.request = self.post.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")
        self.wfile = self.request.makefile("wb", buffering=0)

    def finish(self) -> None:
        self.rfile.close()
        self.wfile.close()
        self.request.close()

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """A mail server on loopback."""
    server_of = Post(certificate=tmp_path / "certificate.pem")
    server_of.context = a_context(server_of.certificate)
    handler = type("Handler", (Session,), {"post": server_of})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        # A client that does not trust us ends in the middle: that is what is tried.
        server.handle_error = ignore  # type: ignore[method-assign, assignment]
        server_of.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server_of
        server.shutdown()
        thread.join()


def ignore(*args: object) -> None:
    """Let whatever a client did to a connection be."""
    del args


def a_context(file: Path) -> ssl.SSLContext:
    """Return a context for 127.0.0.1, whose certificate is written to a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def channel(post: Post, tls: Tls = "start", *, trusts: bool = True, user: str = "") -> MailChannel:
    server = MailServer("127.0.0.1", post.port, tls, SENDER, user=user, password=user and "word")
    trusted = ssl.create_default_context(cafile=str(post.certificate)) if trusts else None
    return MailChannel(server, trusted=trusted)


def sent(post: Post) -> EmailMessage:
    (data,) = post.taken
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize(
    ("tls", "is_sealed"), [("start", True), ("implicit", True), ("none", False)]
)
def test_a_message_arrives_as_it_was_written(post: Post, tls: Tls, *, is_sealed: bool) -> None:
    post.is_implicit = tls == "implicit"

    channel(post, tls).send(MESSAGE)

    mail = sent(post)
    assert post.was_sealed is is_sealed
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        SENDER,
        "mair@example.org",
        MESSAGE.subject,
    )
    assert mail["Message-ID"] == f"<{MESSAGE.delivery_id}@vault.aber.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == MESSAGE.text.splitlines()


def test_who_has_an_account_signs_in(post: Post) -> None:
    channel(post, user="vault").send(MESSAGE)

    assert "AUTH" in post.commands
    assert post.commands.index("STARTTLS") < post.commands.index("AUTH")


def test_a_server_that_is_not_trusted_is_told_nothing(post: Post) -> None:
    with pytest.raises(NotSentError) as refused:
        channel(post, trusts=False, user="vault").send(MESSAGE)

    assert not refused.value.for_good
    assert "AUTH" not in post.commands
    assert post.taken == []


def test_a_server_without_tls_is_told_nothing(post: Post) -> None:
    post.answers["STARTTLS"] = b"454 not now"

    with pytest.raises(NotSentError):
        channel(post).send(MESSAGE)

    assert not {"MAIL", "RCPT", "DATA"} & set(post.commands)


@pytest.mark.parametrize(
    ("verb", "answer", "for_good"),
    [
        ("RCPT", b"550 no such mair@example.org", True),
        ("RCPT", b"450 later, mair@example.org", False),
        ("MAIL", b"550 you may not", False),
        ("DATA", b"451 later", False),
        ("AUTH", b"535 who?", False),
    ],
)
def test_a_refusal_says_whether_to_try_again_and_not_to_whom(
    post: Post, verb: str, answer: bytes, *, for_good: bool
) -> None:
    post.answers[verb] = answer

    with pytest.raises(NotSentError) as refused:
        channel(post, user="vault").send(MESSAGE)

    assert refused.value.for_good is for_good
    assert "mair" not in str(refused.value)
    assert post.taken == []


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    gone = MailChannel(MailServer("127.0.0.1", 1, "none", SENDER))

    with pytest.raises(NotSentError) as refused:
        gone.send(MESSAGE)

    assert not refused.value.for_good


def test_a_password_is_not_printed() -> None:
    assert "word" not in repr(MailServer("h", 25, "start", SENDER, user="u", password="word"))
