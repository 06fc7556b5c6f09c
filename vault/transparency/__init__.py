# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of transparency: hashes and trees, for servers and for whoever verifies them."""
