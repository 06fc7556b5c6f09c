# SPDX-License-Identifier: Apache-2.0
"""Read models for questions across citizens; questions about one citizen never come here.

They follow the events and may be thrown away and rebuilt: to rebuild one by hand, remove its file
while the server stands still. Each module of rows is read top to bottom: the tables, what an event
changes in them, what can be asked. `runner.py` follows, `tracking.py` keeps rows and place.
"""
