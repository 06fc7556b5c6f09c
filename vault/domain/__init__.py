# SPDX-License-Identifier: Apache-2.0
"""The rules, as pure functions: no I/O, no clock, no randomness, no protobuf, no SQL."""
