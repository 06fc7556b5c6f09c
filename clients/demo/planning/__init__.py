# SPDX-License-Identifier: Apache-2.0
"""Planning permission from end to end: the council's own page, and how it asks, sees and answers.

The council is a service like any other: it has no right that its purpose does not give it, and it
keeps of what it saw only what its file needs.
"""
