"""Routes of accounts: how they are, let a frozen one go."""

from typing import Final

from litestar import get, post
from litestar.params import FromPath

from sep_core.api.answer import Answer, AnyRequest, kernel_of, reader_of
from sep_core.api.body import json_bytes
from sep_core.api.edge import require_token
from sep_core.api.operation import operation
from sep_core.api.parameters import StateParameters, no_parameters, read_parameters
from sep_core.api.reason import Reason
from sep_core.runtime.submission import parse_body
from sep_core.runtime.views import AccountView, View


class AccountList(View):
    """All accounts on chains."""

    items: list[AccountView]


@get(
    "/v1/accounts",
    operation_id="listAccounts",
    operation_class=operation(problems=(404,), query=StateParameters),
    tags=["accounts"],
)
async def list_accounts(request: AnyRequest) -> Answer[AccountList]:
    """The accounts on chains: whether they sign, what of them is open, why one is frozen."""
    asked = read_parameters(request, StateParameters)
    return Answer(AccountList(items=await (await reader_of(request).queries(asked.as_of)).accounts()))


@post(
    "/v1/accounts/{account:str}/release",
    guards=[require_token],
    status_code=200,
    operation_id="releaseAccount",
    operation_class=operation(problems=(400, 401, 404, 409, 413, 415, 422, 503), body=Reason, guarded=True),
    tags=["accounts"],
)
async def release_account(request: AnyRequest, account: FromPath[str]) -> Answer[AccountView]:
    """Lets a frozen account sign again, from the nonce and the balances that its chain has for good."""
    no_parameters(request)
    order = parse_body(await json_bytes(request), Reason)
    return Answer(await kernel_of(request).release_account(account, order.reason, "api"))


ROUTES: Final = (list_accounts, release_account)
