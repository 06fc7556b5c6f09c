# SPDX-License-Identifier: Apache-2.0
"""Her ways in: sign-ins, passkeys, codes; how she is told; and devices that others use, too."""
