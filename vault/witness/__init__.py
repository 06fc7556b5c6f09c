# SPDX-License-Identifier: Apache-2.0
"""A witness of logs (C2SP tlog-witness): `citizen-vault-server witness`.

It shares nothing with a vault but this code, and is worth something only where somebody else runs
it: it keeps the last head of each log that it knows, and cosigns what that grows into.
"""
