# SPDX-License-Identifier: Apache-2.0
"""What is shared now and was before: looking at it, stopping it, changing it."""
