"""Sections of plugins: secrets and paths resolved where the plugin's class asks for them, then validated."""

import hashlib
import json
import os
import stat
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAliasType, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from sep_hooks.config import PluginConfig

from sep_core.plugins.names import nearest
from sep_core.runtime.settings_file import Toml
from sep_core.runtime.settings_mistakes import InvalidSettings, Mistake, shown
from sep_core.runtime.settings_values import Section

_LARGEST_SECRET_BYTES: Final = 64 * 1024
_HIDDEN: Final = "a secret written in the file"


@dataclass(frozen=True, slots=True)
class PluginSection[C: PluginConfig]:
    """A validated section; `digest` covers it with references in place of secrets."""

    config: C
    digest: str


class Secrets:
    """Resolves references to secrets, and remembers the values so that they can be kept out of messages."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self._values: set[str] = set()

    def resolve(self, reference: Mapping[str, Toml]) -> SecretStr:
        """The secret of `{ env = "NAME" }` or `{ file = "path" }`. Raises `ValueError` that never shows it."""
        ((how, where),) = reference.items()
        text = self._from_environment(str(where)) if how == "env" else self._from_file(str(where))
        return self.keep(text)

    def keep(self, text: str) -> SecretStr:
        """A secret that came some other way."""
        if len(text) >= 4:
            self._values.add(text)
        return SecretStr(text)

    def redact(self, text: str) -> str:
        """The text with every known secret blotted out."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _from_environment(self, name: str) -> str:
        text = self._environ.get(name, "")
        if not text:
            raise ValueError(f"the environment variable {name} is not set")
        return text

    def _from_file(self, name: str) -> str:
        path = self._folder / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its name holds a zero byte"
            raise ValueError(f"the file {path} cannot be read: {why}") from None
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise ValueError(f"{path} is no file")
            if state.st_mode & 0o077:
                raise ValueError(
                    f"the file {path} has mode {stat.S_IMODE(state.st_mode):04o}, others can reach it; "
                    f"run `chmod 600 {path}`"
                )
            data = os.read(descriptor, _LARGEST_SECRET_BYTES + 1)
        except OSError as error:
            raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
        finally:
            os.close(descriptor)
        if len(data) > _LARGEST_SECRET_BYTES:
            raise ValueError(f"the file {path} is too large for a secret")
        try:
            text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ValueError(f"the file {path} is not UTF-8") from None
        if not text:
            raise ValueError(f"the file {path} is empty")
        return text


def load_section[C: PluginConfig](
    pointer: str, rest: Section, config: type[C], secrets: Secrets, *, source: str, folder: Path
) -> PluginSection[C]:
    """A plugin's section as its `Config`, frozen. Raises `InvalidSettings` with every mistake, by dotted key."""
    mistakes: list[Mistake] = []
    reader = _Reader(secrets, folder, mistakes)
    values, plain = reader.model(pointer, rest, config)
    if not mistakes:
        try:
            return PluginSection(config.model_validate(values), _digest(plain))
        except ValidationError as error:
            mistakes.extend(_mistakes(pointer, error, config, secrets.redact))
    raise InvalidSettings(source, mistakes, next_step="mend it and run `sep check`")


class _Reader:
    def __init__(self, secrets: Secrets, folder: Path, mistakes: list[Mistake]) -> None:
        self._secrets = secrets
        self._folder = folder
        self._mistakes = mistakes

    def model(
        self, pointer: str, values: Mapping[str, Toml], model: type[BaseModel]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """The values for pydantic, and the same without secrets."""
        hints = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        full: dict[str, object] = {}
        plain: dict[str, object] = {}
        for key, value in values.items():
            full[key], plain[key] = self._value(f"{pointer}.{key}", value, hints.get(key, object))
        return full, plain

    def _value(self, pointer: str, value: Toml, hint: object) -> tuple[object, object]:
        members = _members(hint)
        if SecretStr in members and (isinstance(value, str) or _is_reference(value)):
            if isinstance(value, str):
                return self._secrets.keep(value), _HIDDEN
            assert isinstance(value, dict)
            try:
                return self._secrets.resolve(value), value
            except ValueError as error:
                self._mistakes.append(Mistake(pointer, str(error)))
                return SecretStr(""), value
        if Path in members and isinstance(value, str) and str not in members:
            return self._folder / value, value
        if isinstance(value, list):
            return self._list(pointer, value, members)
        if isinstance(value, dict):
            return self._dict(pointer, value, members)
        return value, value

    def _list(self, pointer: str, value: list[Toml], members: tuple[object, ...]) -> tuple[object, object]:
        inner = [_item_hint(member) for member in members]
        hint = next((one for one in inner if one is not None), object)
        pairs = [self._value(f"{pointer}[{index}]", item, hint) for index, item in enumerate(value)]
        return [full for full, _ in pairs], [plain for _, plain in pairs]

    def _dict(
        self, pointer: str, value: dict[str, Toml], members: tuple[object, ...]
    ) -> tuple[object, object]:
        for member in members:
            if isinstance(member, type) and issubclass(member, BaseModel):
                return self.model(pointer, value, member)
        hint: object = object
        for member in members:
            arguments = get_args(member)
            if len(arguments) == 2 and isinstance(get_origin(member), type):
                hint = arguments[1]
        if _is_reference(value) and hint is object:
            self._mistakes.append(
                Mistake(pointer, f"is {shown(value)}, a reference to a secret; this key takes a plain value")
            )
            return None, value
        pairs = {key: self._value(f"{pointer}.{key}", item, hint) for key, item in value.items()}
        return {key: full for key, (full, _) in pairs.items()}, {
            key: plain for key, (_, plain) in pairs.items()
        }


def _members(hint: object) -> tuple[object, ...]:
    """The types that a hint allows, seen through aliases, annotations and unions."""
    if isinstance(hint, TypeAliasType):
        return _members(hint.__value__)
    origin = get_origin(hint)
    if isinstance(origin, TypeAliasType):
        return _members(origin.__value__)
    if origin is Annotated:
        return _members(get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(one for member in get_args(hint) for one in _members(member))
    return (hint,)


def _item_hint(member: object) -> object | None:
    arguments = get_args(member)
    origin = get_origin(member)
    if origin is tuple or (isinstance(origin, type) and len(arguments) == 1):
        return arguments[0] if arguments else None
    return None


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and next(iter(value)) in ("env", "file")
        and isinstance(next(iter(value.values())), str)
    )


def _digest(plain: Mapping[str, object]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _mistakes(
    pointer: str, error: ValidationError, config: type[BaseModel], redact: Callable[[str], str]
) -> list[Mistake]:
    result = []
    for one in error.errors(include_url=False, include_input=False):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"])
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            known = [info.alias or name for name, info in config.model_fields.items()]
            hint = nearest(str(one["loc"][-1]), known) or f"known are {', '.join(known) or 'none'}"
            text = f"is no known key; {hint}"
        elif one["type"] == "missing":
            text = "is missing"
        result.append(Mistake(pointer + place, redact(text[:1].lower() + text[1:])))
    return result
