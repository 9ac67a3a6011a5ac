"""Whether what stands at an account's executor is the contract that it should be."""

from sep_hooks.errors import ConfigurationError

from sep_core.plugins.verbs import executor_serves
from sep_core.runtime.installation import ChainPart
from sep_core.runtime.settings import AccountSettings


async def check_executor(account: AccountSettings, part: ChainPart) -> None:
    """Compares the code at an account's executor with that of the installed contract, made for this account: whatever
    else stands there could keep what a bundle lets it take.

    Raises `ConfigurationError`, `PluginError` where no installed package knows the contract, and what a chain's read
    raises.
    """
    if account.executor is None:
        return
    code = await part.access.code(account.executor)
    if executor_serves(account.address, code):
        return
    found = "nothing stands" if not code else "another contract stands"
    raise ConfigurationError(
        f"accounts.{account.name}.executor: {found} at {account.executor} on chain {part.name}, not the executor of"
        f" {account.address}; nothing was allowed to it",
        pointer=f"accounts.{account.name}.executor",
        next_step=f"run `sep executor check {account.address} --rpc …`, and name the address that it tells",
    )
