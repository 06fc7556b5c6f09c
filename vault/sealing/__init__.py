# SPDX-License-Identifier: Apache-2.0
"""Sealing: personal data under keys that can be destroyed, and the store that keeps those keys.

`envelope` seals and opens, `keyring` holds one citizen's keys, `keystore` is the port that keeps
keyrings and identities, `wrapper` the port to the key that wraps them. When data is sealed, by
whom it may be opened and when it is erased, is decided by the application.
"""
