# SPDX-License-Identifier: Apache-2.0
"""What she gave: looking at it, giving more, giving it anew, and saying that it is wrong."""
