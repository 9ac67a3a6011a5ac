"""Routes of intents: send, try, look up, cancel, ask why."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

import anyio
from litestar import Response, get, post, route
from litestar.enums import HttpMethod
from litestar.params import FromPath
from sep_hooks.errors import SepError

from sep_core.api.answer import Answer, AnyRequest, head_tag, kernel_of, reader_of
from sep_core.api.body import Empty, json_bytes, no_body
from sep_core.api.edge import require_token
from sep_core.api.operation import header_parameter, operation
from sep_core.api.parameters import (
    IntentEventParameters,
    IntentListParameters,
    StateParameters,
    no_parameters,
    read_parameters,
)
from sep_core.api.shutdown import stopping
from sep_core.runtime.submission import Submission, parse_submission
from sep_core.runtime.views import (
    DryRunView,
    EventPage,
    ExplanationView,
    IntentPage,
    IntentView,
    PlanView,
    ReceiptView,
)

LONGEST_WAIT_SECONDS: Final = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})\"?(?=$|[,;\s])", re.IGNORECASE)
_EXAMPLE: Final = {
    "id": "a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a",
    "strategy_id": "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d",
    "type": "ACQUIRE",
    "assets": [
        {
            "asset": {
                "symbol": "WETH",
                "address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                "decimals": 18,
                "chain_id": 1,
            },
            "amount": "100000000000000000",
            "percentage": 1.0,
        }
    ],
    "constraints": {"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "ADAPTIVE"},
}
_PREFER = header_parameter(
    "Prefer",
    f"`wait=N`: answer when the intent has ended, or after N seconds (at most {LONGEST_WAIT_SECONDS}).",
)
_REFUSALS: Final = (400, 409, 413, 415, 422)
_SUBMIT = operation(
    problems=_REFUSALS,
    body=Submission,
    examples=[_EXAMPLE],
    headers=[_PREFER],
    answer_headers=[
        ("Location", "Where the intent can be looked up."),
        ("Preference-Applied", "The `wait` that was kept."),
    ],
    guarded=True,
)
_STATE = operation(problems=(404,), query=StateParameters, conditional=True)
_PRESENT = operation(problems=(404,), query=StateParameters)


@route("/v1/intents", http_method=[HttpMethod.OPTIONS], status_code=204, include_in_schema=False)
async def intents_options() -> Response[None]:
    """What the collection answers to; the framework's own answer forgets one of two handlers of a path."""
    return Response(None, headers={"Allow": "GET, OPTIONS, POST"})


@post(
    "/v1/intents",
    guards=[require_token],
    status_code=202,
    operation_id="submitIntent",
    operation_class=_SUBMIT,
    tags=["intents"],
)
async def submit_intent(request: AnyRequest) -> Answer[ReceiptView]:
    """Takes an intent. The answer is given when it stands durably in the log; sending it again changes nothing."""
    return await _submit(request)


@get(
    "/v1/intents",
    operation_id="listIntents",
    operation_class=operation(problems=(404,), query=IntentListParameters, conditional=True),
    tags=["intents"],
)
async def list_intents(request: AnyRequest) -> Answer[IntentPage]:
    """Intents, newest first."""
    asked = read_parameters(request, IntentListParameters)
    tag = await head_tag(request)
    queries = await reader_of(request).queries(asked.as_of)
    page = await queries.intents(
        status=asked.status, strategy=asked.strategy, cursor=asked.cursor, limit=asked.limit
    )
    return Answer(page, headers=tag)


@post(
    "/intents/submit",
    guards=[require_token],
    status_code=202,
    operation_id="submitIntentAlias",
    operation_class=_SUBMIT,
    tags=["intents"],
)
async def submit_intent_alias(request: AnyRequest) -> Answer[ReceiptView]:
    """The same as `POST /v1/intents`."""
    return await _submit(request)


@post(
    "/v1/intents/dry-run",
    guards=[require_token],
    status_code=200,
    operation_id="dryRunIntent",
    operation_class=operation(problems=_REFUSALS, body=Submission, examples=[_EXAMPLE], guarded=True),
    tags=["intents"],
)
async def dry_run_intent(request: AnyRequest) -> Answer[DryRunView]:
    """Validates, plans, simulates and assesses an intent; nothing is recorded and nothing is sent."""
    no_parameters(request)
    return Answer(await kernel_of(request).dry_run(parse_submission(await json_bytes(request))))


@get("/v1/intents/{intent_id:uuid}", operation_id="getIntent", operation_class=_STATE, tags=["intents"])
async def get_intent(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[IntentView]:
    """Where an intent stands."""
    asked = read_parameters(request, StateParameters)
    tag = await head_tag(request)
    return Answer(await (await reader_of(request).queries(asked.as_of)).intent(intent_id), headers=tag)


@get(
    "/v1/intents/by-client-id/{strategy:str}/{client_id:uuid}",
    operation_id="getIntentByClientId",
    operation_class=_STATE,
    tags=["intents"],
)
async def get_intent_by_client_id(
    request: AnyRequest, strategy: FromPath[str], client_id: FromPath[UUID]
) -> Answer[IntentView]:
    """The intent that a strategy (its name or id) sent under an id of its own."""
    asked = read_parameters(request, StateParameters)
    tag = await head_tag(request)
    return Answer(
        await (await reader_of(request).queries(asked.as_of)).by_client_id(strategy, client_id), headers=tag
    )


@post(
    "/v1/intents/{intent_id:uuid}/cancel",
    guards=[require_token],
    status_code=200,
    operation_id="cancelIntent",
    operation_class=operation(
        problems=(400, 404, 409, 413, 422), body=Empty, body_required=False, guarded=True
    ),
    tags=["intents"],
)
async def cancel_intent(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[IntentView]:
    """Asks that an intent be ended. What has been sent cannot be called back; the status says who won."""
    no_parameters(request)
    await no_body(request)
    return Answer(await kernel_of(request).cancel(intent_id, "api"))


@get(
    "/v1/intents/{intent_id:uuid}/events",
    operation_id="listIntentEvents",
    operation_class=operation(problems=(404,), query=IntentEventParameters, conditional=True),
    tags=["intents"],
)
async def list_intent_events(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[EventPage]:
    """The facts of an intent's own life, in order."""
    asked = read_parameters(request, IntentEventParameters)
    tag = await head_tag(request)
    queries = await reader_of(request).queries(asked.as_of)
    await queries.intent(intent_id)
    page = await queries.events(after=asked.after, limit=asked.limit, stream=f"intent:{intent_id}", types=())
    return Answer(page, headers=tag)


@get(
    "/v1/intents/{intent_id:uuid}/plan",
    operation_id="getIntentPlan",
    operation_class=_STATE,
    tags=["intents"],
)
async def get_intent_plan(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[PlanView]:
    """The last plan of an intent; 404 while there is none."""
    asked = read_parameters(request, StateParameters)
    tag = await head_tag(request)
    return Answer(await (await reader_of(request).queries(asked.as_of)).plan(intent_id), headers=tag)


@get(
    "/v1/intents/{intent_id:uuid}/explain",
    operation_id="explainIntent",
    operation_class=_PRESENT,
    tags=["intents"],
)
async def explain_intent(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[ExplanationView]:
    """Why an intent went as it did, where the money is, and what can be done next."""
    asked = read_parameters(request, StateParameters)
    return Answer(await (await reader_of(request).queries(asked.as_of)).explain(intent_id))


@get(
    "/v1/intents/{intent_id:uuid}/receipt",
    operation_id="getIntentReceipt",
    operation_class=_PRESENT,
    tags=["intents"],
)
async def get_intent_receipt(request: AnyRequest, intent_id: FromPath[UUID]) -> Answer[ReceiptView]:
    """The acceptance with its proof: record, path to the root, signed checkpoint, public key."""
    asked = read_parameters(request, StateParameters)
    return Answer(await (await reader_of(request).queries(asked.as_of)).receipt(intent_id))


READS: Final = (
    list_intents,
    get_intent,
    get_intent_by_client_id,
    list_intent_events,
    get_intent_plan,
    explain_intent,
    get_intent_receipt,
)
ROUTES: Final = (intents_options, submit_intent, *READS, submit_intent_alias, dry_run_intent, cancel_intent)


async def _submit(request: AnyRequest) -> Answer[ReceiptView]:
    no_parameters(request)
    body = await json_bytes(request)
    kernel = kernel_of(request)
    receipt = await kernel.submit(parse_submission(body), source="api", request=body)
    headers = {"Location": f"/v1/intents/{receipt.intent_id}"}
    seconds = _wait_seconds(request.headers.get("prefer", ""))
    if seconds is not None:
        headers["Preference-Applied"] = f"wait={seconds}"
        ended = await _unless_stopping(
            request, lambda: kernel.wait_until_ended(receipt.intent_id, float(seconds))
        )
        if ended is not None:
            receipt = receipt.model_copy(update={"status": ended.status})
    return Answer(receipt, status_code=202, headers=headers)


def _wait_seconds(prefer: str) -> int | None:
    match = _WAIT.search(prefer)
    return None if match is None else min(int(match[1]), LONGEST_WAIT_SECONDS)


async def _unless_stopping(
    request: AnyRequest, wait: Callable[[], Awaitable[IntentView]]
) -> IntentView | None:
    """What is waited for; none when the server stops first: the intent is recorded all the same."""
    found: IntentView | None = None

    async def look() -> None:
        nonlocal found
        with suppress(SepError):
            found = await wait()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await stopping(request).wait()
        group.cancel_scope.cancel()
    return found
