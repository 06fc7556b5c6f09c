# SPDX-License-Identifier: Apache-2.0
"""How things are called and written, in English and Welsh, for every client of a citizen."""
