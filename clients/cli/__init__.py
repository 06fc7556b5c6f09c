# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault`: the vault from a terminal, for citizens, services, auditors and operators.

`README.md` lists every command; `main.py` puts them together, one file per noun.
"""
