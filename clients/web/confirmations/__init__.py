# SPDX-License-Identifier: Apache-2.0
"""What anybody can check: a signed record of each thing that happened, and all of it to take."""
