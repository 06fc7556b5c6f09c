# SPDX-License-Identifier: Apache-2.0
"""Where everybody begins, and comes back to: what waits, what is shared, what was seen lately."""
