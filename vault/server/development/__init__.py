# SPDX-License-Identifier: Apache-2.0
"""The token issuer for development: people on a page, programs by a grant (`issuer.py`)."""
