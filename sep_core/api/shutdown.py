"""How what waits inside the interface learns that the server stops."""

from typing import cast

import anyio

from sep_core.api.answer import AnyRequest


def stopping(request: AnyRequest) -> anyio.Event:
    """Set when the server stops: waits and streams end by themselves then."""
    return cast(anyio.Event, request.app.state["stopping"])
