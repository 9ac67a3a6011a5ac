"""The route of quotes: what a trade would give now, without an intent."""

from typing import Final

from litestar import post

from sep_core.api.answer import Answer, AnyRequest, Written, kernel_of
from sep_core.api.body import json_bytes
from sep_core.api.edge import require_token
from sep_core.api.operation import operation
from sep_core.api.parameters import no_parameters
from sep_core.runtime.quote_body import QuoteBody, parse_quote
from sep_core.runtime.quote_view import QuoteView
from sep_core.runtime.quote_wish import QuoteRefused
from sep_core.runtime.submission import RequestProblem, RequestRefused

_EXAMPLE: Final = {
    "spend": [
        {
            "asset": {"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "chain_id": 1},
            "amount": "10000000000000000000",
        }
    ],
    "receive": {"asset": {"address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "chain_id": 1}},
    "max_legs": 8,
}


@post(
    "/v1/quotes",
    guards=[require_token],
    status_code=200,
    operation_id="quote",
    operation_class=operation(
        problems=(400, 413, 415, 422), body=QuoteBody, examples=[_EXAMPLE], guarded=True
    ),
    tags=["quotes"],
)
async def post_quote(request: AnyRequest) -> Answer[QuoteView]:
    """The best route on the engine's present market states, with its certificate. Nothing is recorded or sent."""
    no_parameters(request)
    body = parse_quote(await json_bytes(request))
    try:
        return Written[QuoteView](await kernel_of(request).quote(body))
    except QuoteRefused as refused:
        raise RequestRefused((RequestProblem(refused.place, refused.code, refused.message),)) from refused


ROUTES: Final = (post_quote,)
