# SPDX-License-Identifier: Apache-2.0
"""What the auditor's program found, as one page for people: no script, nothing from elsewhere."""
