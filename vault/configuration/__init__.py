# SPDX-License-Identifier: Apache-2.0
"""What can be configured: environment variables `CITIZEN_VAULT_*`, and the files that they name."""
