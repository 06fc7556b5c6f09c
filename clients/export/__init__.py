# SPDX-License-Identifier: Apache-2.0
"""What a citizen takes away: its files, read back, and the page in it; for every client."""
