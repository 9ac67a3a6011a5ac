"""The body of what an operator orders: why."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, WithJsonSchema


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("is no line of text that says something")
    return text


class Reason(BaseModel):
    """Why an operator orders something; it stands in the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=300),
        AfterValidator(_one_line),
        WithJsonSchema(
            {"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"^[!-~]+( [!-~]+)*$"}
        ),
    ]
