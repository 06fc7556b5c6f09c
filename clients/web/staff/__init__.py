# SPDX-License-Identifier: Apache-2.0
"""Pages for staff of services without engineers: asking, seeing once, telling, writing why."""
