# SPDX-License-Identifier: Apache-2.0
"""The verifier that an auditor downloads: one small program that shares no code with the server.

It judges exported records by the auditor's rule, with its own reading of every stored form, its own
fold, its own idea of what a consent allows, and its own trees, notes and proofs; `cryptography` is
all that it needs besides Python. In the order in which it reads best:

    what is stored      canonical, forms, facts, record, chain
    what was allowed    registry, history, rule (and what that names)
    whose decision      decisions, approvals, provider, passkeys, payloads
    what was signed     tree, note, policy, proof, trust, receipt
    what comes of it    judged, desk; audit (one history), lane and log (a whole log), promises
                        (receipts), silence, service; report; main
"""
