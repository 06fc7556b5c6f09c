# SPDX-License-Identifier: Apache-2.0
"""The story of one person's information, told in the terminal by real calls to a real server.

Everything that a screen shows is taken from an answer and checked first; nothing is printed that
was not so. The demo knows the wire alone: the server and the checker run as programs of their own.
"""
