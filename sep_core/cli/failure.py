"""Errors as people and programs read them, and the exit codes that go with them."""

import errno
import json
import sys
import traceback

from sep_hooks.errors import Ambiguous, ConfigurationError, Permanent, PluginError, Retryable, SepError

EXIT_OK = 0
EXIT_NEGATIVE = 1
EXIT_USAGE = 2
EXIT_CONFIGURATION = 3
EXIT_UNAVAILABLE = 4
EXIT_IN_DOUBT = 5
EXIT_STORE = 6
EXIT_BUG = 70

EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_NEGATIVE: "the answer is no: verification failed, an intent was rejected or failed",
    EXIT_USAGE: "the command line is wrong",
    EXIT_CONFIGURATION: "the configuration or a plugin is wrong",
    EXIT_UNAVAILABLE: "something needed is not there: no engine, no node, a port in use",
    EXIT_IN_DOUBT: "an outcome is not known; nothing is sent again until evidence decides",
    EXIT_STORE: "the log cannot be opened or written",
    EXIT_BUG: "a mistake of SEP's own",
}

_STORE_CODES = frozenset(
    {
        "store_unavailable",
        "store_locked",
        "store_failed",
        "log_broken",
        "log_replaced",
        "fenced",
        "unknown_fact",
    }
)


def exit_code(error: BaseException) -> int:
    """The exit code that an error ends the process with."""
    if isinstance(error, SepError):
        if error.code in _STORE_CODES:
            return EXIT_STORE
        if isinstance(error, ConfigurationError | PluginError):
            return EXIT_CONFIGURATION
        if isinstance(error, Ambiguous):
            return EXIT_IN_DOUBT
        if isinstance(error, Retryable):
            return EXIT_UNAVAILABLE
        return EXIT_NEGATIVE if isinstance(error, Permanent) else EXIT_UNAVAILABLE
    return EXIT_UNAVAILABLE if isinstance(error, OSError) else EXIT_BUG


def report(error: BaseException, *, debug: bool, as_json: bool) -> int:
    """Prints an error to standard error and returns its exit code."""
    cause = _single(error)
    code = exit_code(cause)
    if debug:
        traceback.print_exception(error)
    if as_json:
        print(json.dumps({"error": _fields(cause), "exit_code": code}), file=sys.stderr)  # noqa: T201
        return code
    print(f"sep: {_words(cause)}", file=sys.stderr)  # noqa: T201
    if isinstance(cause, SepError) and cause.next_step:
        print(f"next: {cause.next_step}", file=sys.stderr)  # noqa: T201
    if code == EXIT_BUG and not debug:
        print("next: run it again with --debug and report the traceback", file=sys.stderr)  # noqa: T201
    return code


def _single(error: BaseException) -> BaseException:
    # A task group wraps what went wrong; people want the thing itself.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str:
    if isinstance(error, SepError):
        pointer = getattr(error, "pointer", "")
        return f"{pointer}: {error.message}" if pointer and pointer not in error.message else error.message
    if isinstance(error, OSError):
        return _system_words(error)
    return f"a mistake of SEP's own: {type(error).__name__}: {error}"


def _system_words(error: OSError) -> str:
    what = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        what = "the port is in use"
    return f"{error.filename}: {what}" if error.filename else what


def _fields(error: BaseException) -> dict[str, object]:
    return {
        "code": error.code if isinstance(error, SepError) else type(error).__name__,
        "message": _words(error),
        "next_step": error.next_step if isinstance(error, SepError) else "",
        "retryable": error.retryable if isinstance(error, SepError) else False,
    }
