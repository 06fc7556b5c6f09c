# SPDX-License-Identifier: Apache-2.0
"""Signing in at an OpenID provider, and approving there what was decided here (`provider.py`)."""
