"""Sealed parts of event bodies: signed transaction bytes are money in the hands of whoever reads them."""

import base64
import binascii
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from sep_hooks.errors import Permanent

KEY_BYTES: Final = SecretBox.KEY_SIZE
_PREFIX: Final = "sealed1:"


class CannotOpen(Permanent):
    """A sealed text was changed, or sealed under another key."""

    code = "cannot_open"


class Vault:
    """Seals bytes under the key of one data folder (XSalsa20-Poly1305, random nonce).

    Sealing the same bytes twice gives different texts: seal once, before the event is first appended.
    """

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(key)

    def seal(self, plain: bytes) -> str:
        """A text that only this vault opens."""
        return _PREFIX + base64.b64encode(bytes(self._box.encrypt(plain))).decode()

    def open(self, sealed: str) -> bytes:
        """The bytes inside a sealed text. Raises `CannotOpen`."""
        if not sealed.startswith(_PREFIX):
            raise CannotOpen("this text was not sealed by a vault")
        try:
            return self._box.decrypt(base64.b64decode(sealed.removeprefix(_PREFIX), validate=True))
        except (CryptoError, binascii.Error, ValueError) as error:
            raise CannotOpen(
                "a sealed text does not open with the key of this data folder",
                next_step="check that `keys/vault.key` is the one that the log was written with",
            ) from error
