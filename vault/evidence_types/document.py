# SPDX-License-Identifier: Apache-2.0
"""What a document's bytes are: PDF, PNG or JPEG, as they are said to be, and whole.

They are walked as they arrive, from length to length (`document_forms.py`), and nothing is decoded,
so that no hostile byte reaches a decoder here. What a document shows, and whether it harms whoever
opens it, is not told.
"""

from typing import Final, Literal

from vault.evidence_types.document_forms import Form, Jpeg, MalformedError, Pdf, Png

__all__ = ["LARGEST_DOCUMENT_BYTES", "DocumentForm", "DocumentFormError", "MediaType", "Reason"]

MediaType = Literal["application/pdf", "image/png", "image/jpeg"]
Reason = Literal["not-a-document", "mislabelled", "truncated", "too-large", "empty"]

LARGEST_DOCUMENT_BYTES: Final = 25 * 1024 * 1024

_FORMS: Final[dict[MediaType, type[Form]]] = {
    "application/pdf": Pdf,
    "image/png": Png,
    "image/jpeg": Jpeg,
}
_LONGEST_SIGNATURE_BYTES: Final = max(len(form.signature) for form in _FORMS.values())
_SENTENCES: Final[dict[Reason, str]] = {
    "not-a-document": "This is no PDF, PNG or JPEG, or a part of it is damaged.",
    "mislabelled": "This is not of the kind that it is said to be.",
    "truncated": "The end of this is missing.",
    "too-large": f"This is larger than {LARGEST_DOCUMENT_BYTES} bytes.",
    "empty": "There is nothing in this.",
}


class DocumentFormError(Exception):
    """The bytes are no document that can be kept, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason: Reason = reason


class DocumentForm:
    """Judges one document: fed with its bytes in order, in pieces of any size, then finished.

    Holds on to a few bytes of it beside the piece that it is fed with, whatever its size.
    """

    def __init__(self, declared: str) -> None:
        """Begin with the media type that the document is said to have."""
        self.size_bytes = 0
        self._declared = declared
        self._form: tuple[MediaType, Form] | None = None
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            DocumentFormError: what is here cannot become a document, whatever follows.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > LARGEST_DOCUMENT_BYTES:
            raise DocumentFormError("too-large")
        self._rest += chunk
        if self._form is None and len(self._rest) >= _LONGEST_SIGNATURE_BYTES:
            self._form = self._recognised()
        if self._form is not None:
            self._walk(self._form[1])

    def finish(self) -> MediaType:
        """Return what the bytes are, now that there are no more.

        Raises:
            DocumentFormError: they are no whole document of the kind that they are said to be.
        """
        if not self.size_bytes:
            raise DocumentFormError("empty")
        if self._form is None:
            is_begun = any(form.signature.startswith(self._rest) for form in _FORMS.values())
            self._form = None if is_begun else self._recognised()
        if self._form is None or not self._form[1].is_whole:
            raise DocumentFormError("truncated")
        return self._form[0]

    def _recognised(self) -> tuple[MediaType, Form]:
        for media_type, form in _FORMS.items():
            if self._rest.startswith(form.signature):
                if media_type != self._declared:
                    raise DocumentFormError("mislabelled")
                self._rest = self._rest[len(form.signature) :]
                return media_type, form()
        raise DocumentFormError("not-a-document")

    def _walk(self, form: Form) -> None:
        at = 0
        try:
            while at < len(self._rest) and (after := form.step(self._rest, at)) > at:
                at = after
        except MalformedError:
            raise DocumentFormError("not-a-document") from None
        self._rest = self._rest[at:]
