# SPDX-License-Identifier: Apache-2.0
"""How fast the vault is, as ratios to what could be done at all: `python -m tests.benchmarks`."""
