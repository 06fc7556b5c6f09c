# SPDX-License-Identifier: Apache-2.0
"""Programs that talk to the vault over its public interface, or check it from outside.

They know the wire (`vault.api`) and the proofs (`vault.transparency`), never the server's insides;
the auditor shares no code with any other part.
"""
