# SPDX-License-Identifier: Apache-2.0
"""The people of the story, all made up, and what they type in once.

The organisations, with their purposes and texts, stand in `registry.json`. Telephone numbers are of
the ranges that Ofcom keeps for drama; the town and its postcode do not exist.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Final

from vault.api.v1 import evidence_pb2

MAIR: Final = "mair"
"""Her sign-in at the development issuer."""
PROVIDER_CLIENT: Final = "citizen-vault-development"
"""As what the development issuer knows the vault: the audience of what it signs for her."""
CHECKER: Final = "independent-checker"
OPERATOR: Final = "operator"
OFFICIAL: Final = "Eleri Jones"
"""Of the library; her sign-in, too, which is how the one whom she helps sees who it was."""

COUNCIL_STAFF: Final = "Dafydd Rees"
COUNCIL_CASE: Final = "HD-2046"
BRIGHTCARE_STAFF: Final = "Sara Pugh"
BRIGHTCARE_CASE: Final = "BC-118"
EMLYN_CASE: Final = "BC-121"

WRONG_BECAUSE: Final = "I never said meals. I cook for myself, and always have."
HELP_NEEDED: Final = ("washing", "dressing")
"""What Mair needs help with, as she puts it right."""

_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True)
class Form:
    """One thing that she fills in: its type, the answers, and where she has them from."""

    evidence_type: str
    answers: dict[str, object]
    source: "evidence_pb2.EvidenceSource.ValueType"
    issued_date: str = ""

    @property
    def values(self) -> bytes:
        """Return the answers as they are sent: a JSON object, UTF-8."""
        return json.dumps(self.answers, ensure_ascii=False).encode()

    def is_kept_as(self, values: bytes) -> bool:
        """Say whether values of the wire are these answers."""
        return bool(json.loads(values) == self.answers)


def friday(today: dt.date) -> dt.date:
    """Return the Friday on which she comes home: today, or the next one."""
    return today + dt.timedelta(days=(_FRIDAY - today.weekday()) % 7)


def forms(today: dt.date) -> tuple[Form, ...]:
    """Return what Mair fills in: her address, her income, and what the hospital's letter says."""
    address = Form(
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
    income = Form(
        evidence_type="income",
        answers={
            "kind": "state_pension",
            "payer": "Department for Work and Pensions",
            "amountPence": 88_620,
            "frequency": "four_weekly",
            "validFrom": f"{today.year}-04-06" if today.month > 4 else f"{today.year - 1}-04-06",
        },
        source=evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED,
    )
    letter = Form(
        evidence_type="care_needs",
        answers={
            "hospitalName": "Ysbyty Aber",
            "wardName": "Meurig Ward",
            "dischargeDate": friday(today).isoformat(),
            "diagnoses": ["Broken left hip, mended", "High blood pressure"],
            "mobility": "Walks with a frame. Stairs only with somebody beside her.",
            "helpNeeded": ["washing", "dressing", "meals"],
            "medication": ["Amlodipine 5 mg, one each morning"],
            "letterDate": today.isoformat(),
            "contactTelephone": "01632 960300",
        },
        source=evidence_pb2.EVIDENCE_SOURCE_DOCUMENT,
        issued_date=today.isoformat(),
    )
    return address, income, letter


LETTER: Final = Form(
    evidence_type="document",
    answers={
        "title": "Going home from hospital",
        "kind": "medical_letter",
        "issuedBy": "Ysbyty Aber",
    },
    source=evidence_pb2.EVIDENCE_SOURCE_DOCUMENT,
)
"""What Mair says about the letter that she adds as it is."""

EMLYN: Final = Form(
    evidence_type="postal_address",
    answers={
        "buildingNumber": "3",
        "streetName": "Lôn y Felin",
        "addressLocality": "Aber",
        "postalCode": "SY29 7QW",
        "addressCountry": "GB",
    },
    source=evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED,
)
"""What Emlyn, 86, tells the official at the library's counter."""
