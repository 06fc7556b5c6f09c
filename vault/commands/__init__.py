# SPDX-License-Identifier: Apache-2.0
"""The commands of `citizen-vault-server` beside `serve`, for whoever operates it."""
