"""The engine's HTTP interface."""

from sep_core.api.app import create_app, openapi_document
from sep_core.api.port import KernelPort, QueriesPort
from sep_core.api.server import serve

__all__ = ["KernelPort", "QueriesPort", "create_app", "openapi_document", "serve"]
