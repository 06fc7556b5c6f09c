# SPDX-License-Identifier: Apache-2.0
"""The server, over gRPC and HTTP: who calls, whether they may, and how an answer is told."""
