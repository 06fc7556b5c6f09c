# SPDX-License-Identifier: Apache-2.0
"""Runs the command line as `python -m clients.cli`."""

from clients.cli.main import main

main()
