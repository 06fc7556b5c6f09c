# SPDX-License-Identifier: Apache-2.0
"""`python -m clients.auditor` is `citizen-vault-auditor`."""

import sys

from clients.auditor.main import main

if __name__ == "__main__":
    sys.exit(main())
