# SPDX-License-Identifier: Apache-2.0
"""From the wire to the domain and back, one module a noun: the only code that knows both."""
