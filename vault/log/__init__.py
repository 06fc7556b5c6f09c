# SPDX-License-Identifier: Apache-2.0
"""The log of each lane: tiles and signed checkpoints of what stands in the store (C2SP tlog-tiles).

It follows the entries of its lane and never decides anything: what is recorded is recorded. What it
signs binds the operator, so it signs nothing that contradicts what it has signed before.
"""
