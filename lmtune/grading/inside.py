"""The program that runs one answer function inside the sandbox: it reads a request and writes data.

The request, one line of JSON on standard input, is either ``{"take": [names], "notebook": path}``
(find these functions in the notebook and what they need; nothing of it is executed) or
``{"code": ..., "name": ..., "cases": [[...], ...]}`` (run the code, then the function on each case).
It knows inputs and never an expected answer.  The first line of the reply
is empty data and says that the work begins; then comes one line of JSON for each result.
"""

from __future__ import annotations

import ast
import io
import json
import os
import sys
import traceback


def told(error, code):
    """An error in words: its type, what it says, and the student's line it went through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "answer"]
    lines = code.splitlines()
    at = f", at: {lines[frames[-1].lineno - 1].strip()}" if frames and frames[-1].lineno <= len(lines) else ""
    return f"{type(error).__name__}: {error}"[:400] + at[:200]


def run(request, reply):
    """Run the code and then the function on each case; one reply for each."""
    from lmtune.exercises.plain import LONGEST, plain

    space = {"__name__": "answer"}
    try:
        exec(compile(request["code"], "answer", "exec"), space)
        function = space[request["name"]]
    except BaseException as error:  # noqa: B902 - an exit in the code is an error of the code
        return reply({"failed": told(error, request["code"])})
    if not callable(function):
        return reply({"failed": f"{request['name']} is no function but a {type(function).__name__}"})
    for case in request["cases"]:
        try:
            value = function(*json.loads(json.dumps(case)))
            answer = {"value": plain(value), "stub": value is None and request["empty"]}
            if len(json.dumps(answer)) > LONGEST:
                answer = {"error": f"the value is longer than {LONGEST} characters of text"}
        except NotImplementedError as error:
            answer = {"stub": request["empty"], "error": told(error, request["code"])}
        except BaseException as error:  # noqa: B902
            answer = {"error": told(error, request["code"])}
        reply(answer)


def empty(code, name):
    """Whether the function's body is a docstring and a placeholder: the stub as it was given."""
    found = [s for s in ast.parse(code).body if isinstance(s, ast.FunctionDef) and s.name == name]
    if not found:
        return False
    rest = [s for s in found[-1].body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return all(isinstance(s, (ast.Pass, ast.Raise)) or (isinstance(s, ast.Return) and s.value is None) for s in rest)


def main():
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    replies = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="utf-8")
    request = json.loads(sys.stdin.readline())
    os.dup2(2, 1)  # from here on, what is printed is no reply
    sys.setrecursionlimit(1000)

    def reply(answer):
        replies.write(json.dumps(answer) + "\n")
        replies.flush()

    reply({})  # begun: the clock of the limits starts
    if "take" in request:
        from lmtune.grading.notebook_code import taken

        try:
            reply(taken(request))
        except (ValueError, AttributeError, TypeError, MemoryError, RecursionError) as error:
            reply({"unreadable": str(error)[:400] or type(error).__name__})
    else:
        request["empty"] = empty(request["code"], request["name"])
        run(request, reply)


if __name__ == "__main__":
    main()
