# SPDX-License-Identifier: Apache-2.0
"""Pages for officials who help somebody at a counter or on the phone."""
