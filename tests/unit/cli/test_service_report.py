# SPDX-License-Identifier: Apache-2.0
"""`service report`, and what she reads of it."""

from __future__ import annotations

import pytest

from clients.cli.service_report import Status
from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import disclosure_pb2 as pb
from vault.api.v1.consent_service_pb2 import GetConsentResponse
from vault.api.v1.disclosure_service_pb2 import ReportOutcomeResponse
from vault.api.v1.vault_pb2 import CAPACITY_SERVICE, Acting, HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryResponse

REPORT = ("--consent", world.CONSENT, "--subject", world.SUBJECT)
GRANTED = pb.RecipientReport(
    kind=pb.REPORT_KIND_OUTCOME, status=pb.REPORT_STATUS_GRANTED, report_time=world.NOW
)


@pytest.fixture(autouse=True)
def _published(server: FakeServer) -> None:
    world.fill(server)
    server.says("ReportOutcome", ReportOutcomeResponse(report=GRANTED, receipt=world.a_receipt()))


@pytest.mark.parametrize("status", Status)
def test_a_status_is_told(server: FakeServer, terminal: Terminal, status: Status) -> None:
    terminal.sign_in("council", "service")

    ran = terminal.run("service", "report", status.value, *REPORT, "--case", "PA-2001")

    assert ran.exit_code == 0, ran.err
    (sent,) = server.requests("ReportOutcome")
    assert pb.ReportStatus.Name(sent.status).lower().endswith(status.value.replace("-", "_"))
    assert (sent.subject_id, sent.authority.consent_id) == (world.SUBJECT, world.CONSENT)
    assert sent.case_ref == "PA-2001"


def test_a_status_that_nobody_knows_is_not_sent(server: FakeServer, terminal: Terminal) -> None:
    terminal.sign_in("council", "service")

    ran = terminal.run("service", "report", "perhaps", *REPORT)

    assert ran.exit_code == 2
    assert server.requests("ReportOutcome") == []


@pytest.mark.parametrize(
    ("language", "happened", "status"),
    [
        ("en", "They told you how far it is", "They decided: yes"),
        ("cy", "Dywedasant wrthych ble mae pethau", "Penderfynasant: ie"),
    ],
)
def test_she_reads_it_in_her_history_and_beside_what_she_shares(
    server: FakeServer, terminal: Terminal, language: str, happened: str, status: str
) -> None:
    line = HistoryEntry(
        version=9,
        time=world.NOW,
        type="recipient-reported.1",
        acting=Acting(capacity=CAPACITY_SERVICE),
        service_id=world.SERVICE,
        receipt=world.a_receipt(),
        report=GRANTED,
    )
    sharing = world.a_consent()
    sharing.last_report.CopyFrom(GRANTED)
    server.says("ListHistory", ListHistoryResponse(entries=[line]))
    server.says("GetConsent", GetConsentResponse(consent=sharing))

    history = terminal.run("history", "list", "--language", language)
    shown = terminal.run("sharing", "show", world.CONSENT[:4], "--language", language)

    told = set(history.out.split())
    assert {*happened.split(), *status.split()} <= told
    assert status in " ".join(shown.out.split())
