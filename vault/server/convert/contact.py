# SPDX-License-Identifier: Apache-2.0
"""How a citizen is reached, and what she is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import contact_pb2 as pb
from vault.application.contacts import Contact, Language, Pace, Subject

PACES: Final[Mapping[pb.ContactPace.ValueType, Pace]] = {
    pb.CONTACT_PACE_AT_ONCE: "at-once",
    pb.CONTACT_PACE_WEEKLY: "weekly",
    pb.CONTACT_PACE_SAFETY_ONLY: "safety-only",
}
SUBJECTS: Final[Mapping[pb.NotificationKind.ValueType, Subject]] = {
    pb.NOTIFICATION_KIND_NEW_REQUEST: "new-request",
    pb.NOTIFICATION_KIND_FIRST_USE: "first-use",
    pb.NOTIFICATION_KIND_REFUSED_ATTEMPT: "refused-attempt",
    pb.NOTIFICATION_KIND_END_NEAR: "end-near",
    pb.NOTIFICATION_KIND_NEW_SIGN_IN: "new-sign-in",
}
_LANGUAGES: Final[Mapping[str, Language]] = {"en": "en", "cy": "cy"}

_PACE_VALUES: Final = {value: key for key, value in PACES.items()}
_SUBJECT_VALUES: Final = {value: key for key, value in SUBJECTS.items()}


def contact_from(contact: pb.Contact) -> Contact:
    """Return a contact; what is not said is as for everybody. Lists that are sets are sorted."""
    return Contact(
        email=contact.email,
        telephone=contact.telephone,
        postal_lines=tuple(line.strip() for line in contact.postal_lines),
        language=_LANGUAGES.get(contact.language, "en"),
        pace=PACES.get(contact.pace, "at-once"),
        discreet=contact.discreet,
        muted=tuple(sorted(SUBJECTS[kind] for kind in contact.muted_kinds)),
    )


def contact_message(contact: Contact) -> pb.Contact:
    """Return the message of a contact."""
    return pb.Contact(
        email=contact.email,
        telephone=contact.telephone,
        postal_lines=contact.postal_lines,
        language=contact.language,
        pace=_PACE_VALUES[contact.pace],
        discreet=contact.discreet,
        muted_kinds=sorted(_SUBJECT_VALUES[subject] for subject in contact.muted),
    )
