# SPDX-License-Identifier: Apache-2.0
"""The verifier that an auditor downloads: one small program that shares no code with the server.

It judges exported records by the auditor's rule, with its own reading of every stored form, its own
fold and its own idea of what a consent allows; `cryptography` is all that it needs besides Python.
Read it from `main` and `audit` down, or from `canonical`, `facts`, `record` and `chain` up; the
rule stands in `rule` and in what that names.
"""
