# SPDX-License-Identifier: MIT
"""TAP for Python: a program's tests, one result each."""
import traceback

TESTS = []


class Skip(Exception):
    """Why a test was not done."""


def test(function):
    """A test, called what its first line of documentation says; it fails by raising."""
    TESTS.append((function.__doc__.splitlines()[0].rstrip("."), function, ()))
    return function


def each(rows):
    """A test for each row; the row's first value says which."""
    def add(function):
        title = function.__doc__.splitlines()[0].rstrip(".")
        for row in rows:
            TESTS.append((f"{title}: {row[0]}", function, row[1:]))
        return function
    return add


def same(expected, actual, what="it"):
    if expected != actual:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def has(part, text, what="it"):
    if part not in text:
        raise AssertionError(f"{what}: {part!r} is not in {text!r}")


def raises(kind, function, *arguments, **named):
    """What the call raised."""
    try:
        answer = function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"expected {kind}, got {str(answer)[:200]}")


def comment(text):
    for line in str(text).splitlines():
        print("#", line, flush=True)


def skip_all(title, reason):
    print(f"ok 1 - {title} # SKIP {reason}\n1..1", flush=True)


def run(*fixture):
    """All tests, each called with the fixture and its row.  The exit status."""
    failed = 0
    for number, (name, function, row) in enumerate(TESTS, 1):
        try:
            function(*fixture, *row)
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # pylint: disable=broad-except
            comment(traceback.format_exc())
            print(f"not ok {number} - {name}", flush=True)
            failed += 1
    print(f"1..{len(TESTS)}", flush=True)
    return 1 if failed else 0
