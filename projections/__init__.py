# SPDX-License-Identifier: Apache-2.0
"""Read models for questions across citizens; questions about one citizen never come here.

They follow the events and may be thrown away and rebuilt. The package holds none yet: each comes
with the first question that needs it.
"""
