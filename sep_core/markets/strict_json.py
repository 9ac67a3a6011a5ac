"""Files from anywhere: JSON that means the same to every reader, of bounded size."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from sep_hooks.errors import Permanent

LARGEST_FILE_BYTES: Final = 256 * 1024 * 1024
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_NUMBER: Final = 80
_NEXT: Final = "compare it with the format in docs/snapshot.md, or write it anew"


class FileRefused(Permanent):
    """A file that is not what it should be. `pointer` is the place (JSON pointer), empty for the whole."""

    code = "file_refused"

    def __init__(self, message: str, *, pointer: str = "", next_step: str = _NEXT) -> None:
        super().__init__(message, next_step=next_step)
        self.pointer = pointer


def read_file(path: Path, largest_bytes: int = LARGEST_FILE_BYTES) -> bytes:
    """The bytes of a file. Raises `FileRefused` where it is too large, `OSError` where it cannot be read."""
    with path.open("rb") as opened:
        content = opened.read(largest_bytes + 1)
    if len(content) > largest_bytes:
        raise FileRefused(f"{path} has more than {largest_bytes} bytes, the most that is read")
    return content


def decode_strictly(content: bytes, what: str) -> object:
    """JSON without duplicate keys, fractions, endless numbers or halves of characters. Raises `FileRefused`; `what`
    names the file.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise FileRefused(f"{what}: the key {twice[:64]!r} stands twice in one object")
        return found

    def whole(text: str) -> int:
        if len(text) > _LONGEST_NUMBER:
            raise FileRefused(f"{what}: a number has more than {_LONGEST_NUMBER} digits")
        return int(text)

    def fraction(text: str) -> object:
        raise FileRefused(f"{what}: {text[:64]} is a fraction; every number is whole or stands as text")

    def constant(text: str) -> object:
        raise FileRefused(f"{what}: {text} is no JSON number")

    try:
        found: object = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=fraction,
            parse_constant=constant,
        )
        if _SURROGATE.search(content) is not None:
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except UnicodeEncodeError:
        raise FileRefused(f"{what}: a text holds half of a character (a lone surrogate)") from None
    except UnicodeDecodeError as error:
        raise FileRefused(f"{what}: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FileRefused(f"{what} is no JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise FileRefused(f"{what} is nested too deep") from None


def pointer_of(place: tuple[int | str, ...]) -> str:
    """A place as a JSON pointer."""
    return "".join("/" + str(part)[:64].replace("~", "~0").replace("/", "~1") for part in place)


def printable(text: object) -> str:
    """Foreign text, short and fit for a terminal."""
    shown = ""
    with suppress(ValueError):
        shown = str(text)[:200]
    return "".join(one if one.isprintable() else "\ufffd" for one in shown)
