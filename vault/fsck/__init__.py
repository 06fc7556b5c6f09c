# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server fsck`: everything derived again from stored bytes, and nothing changed.

Entries from records, links from the records before them, payloads from their digests and keys,
documents from their objects, tiles and roots from entries; then compared with every signed head.
"""
