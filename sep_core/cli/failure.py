"""Errors as people and programs read them, and the exit codes that go with them."""

import errno
import json
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict

from sep_hooks.errors import Ambiguous, ConfigurationError, Permanent, PluginError, Retryable, SepError

EXIT_OK = 0
EXIT_NEGATIVE = 1
EXIT_USAGE = 2
EXIT_CONFIGURATION = 3
EXIT_UNAVAILABLE = 4
EXIT_IN_DOUBT = 5
EXIT_STORE = 6
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_NEGATIVE: "the answer is no: verification failed, an intent was rejected or failed",
    EXIT_USAGE: "the command line is wrong",
    EXIT_CONFIGURATION: "the configuration or a plugin is wrong",
    EXIT_UNAVAILABLE: "something needed is not there: no engine, no node, a port in use",
    EXIT_IN_DOUBT: "an outcome is not known; nothing is sent again until evidence decides",
    EXIT_STORE: "the log cannot be opened or written",
    EXIT_BUG: "a mistake of SEP's own",
    EXIT_INTERRUPTED: "interrupted by Ctrl-C",
    EXIT_PIPE: "the reader of the output went away",
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

_USAGE_CODES = frozenset({"bad_moment", "bad_cursor", "bad_key"})
_CONFIGURATION_CODES = frozenset({"signer_refused"})
_UNAVAILABLE_CODES = frozenset({"token_unavailable"})

_CODE_STEPS = {"signer_refused": "see the signer of the account in sep.toml, then run `sep check`"}
_SYSTEM_STEPS = {
    errno.EADDRINUSE: "stop that program, set another port in [api] of sep.toml, or give --port 0 for a free one",
    errno.EACCES: "mend the permissions, or name another path",
    errno.EPERM: "mend the permissions, or name another path",
    errno.EROFS: "that disk is mounted read-only: name another path",
    errno.ENOSPC: "the disk is full: make room",
    errno.ENOENT: "name a path that exists",
    errno.EEXIST: "name another path",
    errno.ENOTDIR: "name a folder",
    errno.EISDIR: "name a file",
    errno.EADDRNOTAVAIL: "set host in [api] of sep.toml to 127.0.0.1",
}


def exit_code(error: BaseException) -> int:
    """The exit code that an error ends the process with."""
    if isinstance(error, SepError):
        if error.code in _STORE_CODES:
            return EXIT_STORE
        if error.code in _USAGE_CODES:
            return EXIT_USAGE
        if error.code in _UNAVAILABLE_CODES:
            return EXIT_UNAVAILABLE
        if isinstance(error, ConfigurationError | PluginError) or error.code in _CONFIGURATION_CODES:
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
        _say(json.dumps({"error": _fields(cause), "exit_code": code}, ensure_ascii=False))
        return code
    _say(f"sep: {_words(cause)}")
    step = _next_step(cause)
    if step and not (debug and code == EXIT_BUG):
        _say(f"next: {step}")
    return code


def report_usage(message: str, next_step: str, *, as_json: bool) -> int:
    """Prints what is wrong with a command line and returns its exit code."""
    if as_json:
        fields = {"code": "usage", "message": message, "next_step": next_step, "retryable": False}
        _say(json.dumps({"error": fields, "exit_code": EXIT_USAGE}, ensure_ascii=False))
    else:
        _say(f"sep: {message}")
        _say(f"next: {next_step}")
    return EXIT_USAGE


def _say(line: str) -> None:
    # Nobody may be there to read it; the exit code still says it.
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201


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
    return f"{error.filename}: {what}" if error.filename else what


def _next_step(error: BaseException) -> str:
    if isinstance(error, SepError):
        return error.next_step or _CODE_STEPS.get(error.code, "")
    if isinstance(error, OSError):
        return _SYSTEM_STEPS.get(error.errno or 0, "")
    return "run it again with --debug and report the traceback"


def _fields(error: BaseException) -> dict[str, object]:
    code = error.code if isinstance(error, SepError) else type(error).__name__
    fields: dict[str, object] = {
        "code": getattr(error, "problem_code", "") or code,
        "message": _words(error),
        "next_step": _next_step(error),
        "retryable": error.retryable if isinstance(error, SepError) else isinstance(error, OSError),
    }
    pointer, problems = getattr(error, "pointer", ""), getattr(error, "problems", None)
    if pointer:
        fields["pointer"] = pointer
    if problems:
        fields["errors"] = [one if isinstance(one, dict) else asdict(one) for one in problems]
    return fields
