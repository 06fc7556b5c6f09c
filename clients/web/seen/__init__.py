# SPDX-License-Identifier: Apache-2.0
"""Who looked, who tried, and all that happened; what can be done about a line of it."""
