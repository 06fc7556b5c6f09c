# SPDX-License-Identifier: Apache-2.0
"""What there is before anybody applies: the planning team, its purpose, and what she gave once."""

from importlib.resources import files
from typing import Final

from clients.connection import Connection
from clients.demo.directory import Asker, Directory, read_directory
from clients.demo.giving import begin, fill_in, list_evidence
from clients.demo.people import Form
from clients.demo.registration import register_seeds
from vault.api.v1 import evidence_pb2

PURPOSE: Final = "planning-permission"

IDENTITY: Final = Form(
    evidence_type="identity",
    answers={
        "name": [
            {
                "nameParts": [
                    {"type": "GivenName", "value": "Mair"},
                    {"type": "FamilyName", "value": "Pugh"},
                ]
            }
        ]
    },
    source=evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED,
)
OWNERSHIP: Final = Form(
    evidence_type="planning_ownership",
    answers={
        "certificate": "A",
        "certificateDate": "2026-03-02",
        "interest": "freehold",
        "agriculture": "not_agricultural",
        "titleNumber": "CYM123456",
        "siteAddress": "14 Heol yr Afon, Aber, SY29 4ZZ",
    },
    source=evidence_pb2.EVIDENCE_SOURCE_DOCUMENT,
    issued_date="2026-03-02",
)
ADDRESS: Final = Form(
    evidence_type="postal_address",
    answers={
        "buildingNumber": "14",
        "streetName": "Heol yr Afon",
        "addressLocality": "Aber",
        "postalCode": "SY29 4ZZ",
        "addressCountry": "GB",
    },
    source=evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED,
)


def register(operator: Connection) -> Asker:
    """Register the council's planning team and its purpose; return it."""
    register_seeds(operator, (files(__package__) / "registry.json").read_bytes())
    directory: Directory = read_directory(operator)
    return directory.asker_for(PURPOSE)


def give(citizen: Connection) -> None:
    """Have somebody give who she is, where she lives and what she owns: what is not there yet."""
    begin(citizen)
    there = list_evidence(citizen)
    forms = (IDENTITY, ADDRESS, OWNERSHIP)
    fill_in(citizen, tuple(form for form in forms if form.evidence_type not in there))
