# SPDX-License-Identifier: Apache-2.0
"""The use cases: what to load, what to ask the domain, what to seal and append, what to release."""
