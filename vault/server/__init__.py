# SPDX-License-Identifier: Apache-2.0
"""The gRPC server: who calls, whether they may, what they said, and how an answer is told."""
