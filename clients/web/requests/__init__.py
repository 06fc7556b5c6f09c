# SPDX-License-Identifier: Apache-2.0
"""Somebody asks to see something of hers: reading it, choosing, and sharing it or saying no."""
