"""What can be wrong with an intent or with what is said of it."""

from sep_hooks.errors import Permanent
from sep_hooks.types import IntentId, IntentStatus


class IllegalTransition(Permanent):
    """A fact cannot follow on where the intent stands; the log or a decision is wrong."""

    code = "illegal_transition"

    def __init__(self, intent_id: IntentId, status: IntentStatus | None, fact: str, why: str = "") -> None:
        stands = "does not exist" if status is None else f"is {status}"
        super().__init__(
            f"{fact} cannot follow: intent {intent_id} {stands}{'; ' + why if why else ''}; nothing was changed",
            next_step=f"sep explain {intent_id}",
        )
        self.intent_id = intent_id
        self.status = status
        self.fact = fact


class IntentConflict(Permanent):
    """The strategy already used this client id for another intent; ids are unique for ever."""

    code = "client_id_reused"

    def __init__(self, intent_id: IntentId) -> None:
        super().__init__(
            f"this id already names another intent of the strategy ({intent_id}), which stands unchanged",
            next_step="send the changed intent under a new id",
        )
        self.intent_id = intent_id
