"""Versions of the contract."""

API_VERSION = "0.1"
"""The version that manifests name in `api`; it grows by semantic versioning, apart from the kernel's."""
