# SPDX-License-Identifier: Apache-2.0
"""The pages of citizens, of staff, and of officials who help: thin, over gRPC (`README.md`)."""
