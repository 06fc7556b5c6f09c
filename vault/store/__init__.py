# SPDX-License-Identifier: Apache-2.0
"""Where records are appended and read: the write path, and nothing that decides."""
