# SPDX-License-Identifier: Apache-2.0
"""Tells citizens what happened in their vaults: by e-mail, text message or letter, as they like.

A program of its own, `citizen-vault-server notify`, which follows the lanes as views do. Events are
noticed (`noticing.py`) into an outbox together with the place (`outbox.py`); notices become
deliveries by what she prefers (`settling.py`); a delivery is rendered when it is sent
(`rendering.py`, `sending.py`), so that neither an address nor a text ever lies in the outbox.
Channels are beside them: `files.py`, `mail.py`, `govuk.py`, `letters.py`.
"""
