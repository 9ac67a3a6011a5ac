"""Ranges over the version of the contract, as manifests write them: `>=1.2,<2`."""

import re
from dataclasses import dataclass

_CLAUSE = re.compile(r"(?P<operator>>=|<=|==|!=|>|<)\s*(?P<version>[0-9]+(\.[0-9]+){0,2})")


def version_numbers(text: str) -> tuple[int, int, int]:
    """`1`, `1.2` or `1.2.3` as three numbers. Raises `ValueError`."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no version: write numbers and points, e.g. 1.2")
    major, minor, patch = [int(part) for part in parts] + [0] * (3 - len(parts))
    return major, minor, patch


@dataclass(frozen=True, slots=True)
class ApiRange:
    """All versions for which every clause holds."""

    text: str
    clauses: tuple[tuple[str, tuple[int, int, int]], ...]

    def admits(self, version: str) -> bool:
        """Whether a version lies in the range."""
        numbers = version_numbers(version)
        return all(_holds(numbers, operator, bound) for operator, bound in self.clauses)


def api_range(text: str) -> ApiRange:
    """The range that a text means. Raises `ValueError` naming the clause that is none."""
    clauses = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is no clause of a version range: write e.g. >=1.2,<2")
        clauses.append((match["operator"], version_numbers(match["version"])))
    return ApiRange(text, tuple(clauses))


def _holds(numbers: tuple[int, int, int], operator: str, bound: tuple[int, int, int]) -> bool:
    match operator:
        case ">=":
            return numbers >= bound
        case "<=":
            return numbers <= bound
        case ">":
            return numbers > bound
        case "<":
            return numbers < bound
        case "==":
            return numbers == bound
        case _:
            return numbers != bound
