"""How readers take a log in pages."""

from typing import Final

LAST_POSITION: Final = 2**63 - 1
_FIRST_PAGE: Final = 64
_WIDEST_PAGE: Final = 256
_PAGE_BYTES: Final = 512 * 1024
"""What a core's own cache holds: of wider pages a log is read a sixth slower, of much narrower ones too."""


class PageSize:
    """How many records to ask for, so that a page stays within half a megabyte whatever their width."""

    def __init__(self) -> None:
        self.records = _FIRST_PAGE

    def learn(self, records: int, size_bytes: int) -> None:
        """Takes the last page into account."""
        if size_bytes > _PAGE_BYTES:
            self.records = max(1, records * _PAGE_BYTES // size_bytes)
        elif records == self.records:
            self.records = min(_WIDEST_PAGE, self.records * 4)
