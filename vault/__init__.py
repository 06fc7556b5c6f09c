# SPDX-License-Identifier: Apache-2.0
"""The citizen vault: evidence that stays with the person it is about.

Importing this package loads nothing else: the version stands here, every part is imported by name.
"""

__version__ = "0.1.0"
