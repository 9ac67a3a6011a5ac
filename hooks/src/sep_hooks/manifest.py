"""The manifest `sep-plugin.toml` that every plugin ships beside its code, read without importing any of it."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sep_hooks.api_range import api_range
from sep_hooks.capabilities import CAPABILITIES_OF, Capability, PluginKind, Support
from sep_hooks.errors import Permanent

MANIFEST_NAME: Final = "sep-plugin.toml"

_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class ManifestInvalid(Permanent):
    """A manifest cannot be read, or says something that it cannot say."""

    code = "manifest_invalid"


def _known_range(text: str) -> str:
    api_range(text)
    return text


type _Name = Annotated[str, Field(pattern=_NAME, max_length=64)]
type _Verb = Annotated[str, Field(pattern=_NAME, max_length=32)]
type _SecretName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
type _Range = Annotated[str, AfterValidator(_known_range)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VenueTable(_Table):
    """What is known of a venue before it is asked: the numeric ids of chains that it is deployed on."""

    chains: tuple[Annotated[int, Field(gt=0)], ...] = ()


class Permissions(_Table):
    """What a plugin asks for; the operator grants it, the kernel hands it out.

    A venue never asks to sign a transfer: it would have no use for it.
    """

    net: tuple[Literal["rpc", "http"], ...] = ()
    sign: tuple[Literal["swap", "approve", "transfer"], ...] = ()
    secrets: tuple[_SecretName, ...] = ()


class PluginManifest(_Table):
    """One entry point of the distribution: what it is, what it can do, and what it asks for."""

    name: _Name
    kind: PluginKind
    api: _Range
    """Range over `sep_hooks.API_VERSION`, e.g. `>=0.1,<1`."""
    summary: Annotated[str, Field(max_length=200)] = ""
    capabilities: Mapping[Capability, Support] = Field(default_factory=dict)
    venue: VenueTable | None = None
    permissions: Permissions = Permissions()
    verbs: tuple[_Verb, ...] = ()
    """Verbs that `sep_register_commands` adds to the command line; kind `hooks` only."""

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        strangers = sorted(set(self.capabilities) - CAPABILITIES_OF[self.kind])
        if strangers:
            known = ", ".join(sorted(CAPABILITIES_OF[self.kind])) or "none"
            raise ValueError(f"a {self.kind} has no capability {', '.join(strangers)}; it may name: {known}")
        if self.venue is not None and self.kind is not PluginKind.VENUE:
            raise ValueError(f"the table `venue` stands in the manifest of a {self.kind}")
        if self.kind is PluginKind.VENUE and "transfer" in self.permissions.sign:
            raise ValueError("a venue asks for permission to sign a transfer; it never needs one")
        if self.verbs and self.kind is not PluginKind.HOOKS:
            raise ValueError(f"only kind `hooks` adds verbs, this is a {self.kind}")
        return self


class Manifest(_Table):
    """The whole file: one table `plugin` for each entry point of the distribution."""

    schema_version: Literal[1] = Field(alias="schema")
    plugin: tuple[PluginManifest, ...]

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        if not self.plugin:
            raise ValueError("no table `plugin`: write one [[plugin]] for each entry point")
        seen: set[tuple[PluginKind, str]] = set()
        for entry in self.plugin:
            if (entry.kind, entry.name) in seen:
                raise ValueError(f"the {entry.kind} {entry.name!r} stands twice in the manifest")
            seen.add((entry.kind, entry.name))
        return self

    def entry(self, kind: PluginKind, name: str) -> PluginManifest | None:
        """The table of one entry point, or None where the manifest has none."""
        for entry in self.plugin:
            if entry.kind is kind and entry.name == name:
                return entry
        return None


def parse_manifest(text: str, *, source: str = MANIFEST_NAME) -> Manifest:
    """The manifest that a text holds. Raises `ManifestInvalid` naming the source, every mistake and its place."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestInvalid(f"{source} is no TOML: {error}") from None
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        mistakes = [f"{_pointer(one['loc'])}: {_said(one['msg'])}" for one in error.errors(include_url=False)]
        raise ManifestInvalid(f"{source}: " + "; ".join(mistakes)) from None


def manifest_schema() -> str:
    """The JSON Schema of the manifest, as shipped in `sep-plugin.schema.json`."""
    schema = Manifest.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = MANIFEST_NAME
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _pointer(location: tuple[int | str, ...]) -> str:
    text = ".".join(str(part) for part in location)
    return re.sub(r"\.(\d+)", r"[\1]", text) or "the file"


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
