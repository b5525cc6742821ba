"""The program that runs one answer function inside the sandbox: it reads a request and writes data.

The request, one line of JSON on standard input, is either ``{"take": [names], "notebook": path}``
(find these functions in the notebook and what they need; nothing of it is executed) or
``{"code": ..., "name": ..., "cases": [[...], ...]}`` (run the code, then the function on each case).
It knows inputs and never an expected answer.  The first line of the reply
is empty data and says that the work begins; then comes one line of JSON for each result.
"""

from __future__ import annotations
import __future__ as future

import ast
import importlib
import io
import json
import linecache
import os
import sys
import traceback
import types

#: As deep as Jupyter lets Python recurse.
DEEPEST = 3000
#: The name that the student's code has in errors.
ANSWER = "answer"


def told(error, code):
    """An error in words: its type, what it says, and the student's line it went through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == ANSWER]
    lines = code.splitlines()
    at = f", at: {lines[frames[-1].lineno - 1].strip()}" if frames and frames[-1].lineno <= len(lines) else ""
    said = f"{type(error).__name__}: {said_by(error)}"[:400] + at[:200]
    if isinstance(error, ModuleNotFoundError):
        said += "; where it is a file of yours, hand in a folder with it and the notebook"
    return said


def said_by(error):
    """What an error says; the student's own may fail at that too."""
    try:
        return str(error)
    except BaseException:  # noqa: B902
        return "an error that does not say what it is"


def run(request, reply):
    """Run the code and then the function on each case; one reply for each."""
    from lmtune.exercises.plain import LONGEST, plain

    code, name = request["code"], request["name"]
    space, failure = executed(code)
    earlier = f"; before that {failure}" if failure else ""
    if name not in space:
        return reply({"failed": failure or f"the code gives no {name}"})
    function = space[name]
    if not callable(function):
        return reply({"failed": f"{name} is no function but a {type(function).__name__}{earlier}"})
    for case in request["cases"]:
        try:
            value = function(*json.loads(json.dumps(case)))
            answer = {"value": plain(value), "stub": (value is None or value is Ellipsis) and request["empty"]}
            if len(json.dumps(answer)) > LONGEST:
                answer = {"error": f"the value is longer than {LONGEST} characters of text"}
        except NotImplementedError as error:
            answer = {"stub": request["empty"], "error": told(error, code) + earlier}
        except BaseException as error:  # noqa: B902
            answer = {"error": told(error, code) + earlier}
        reply(answer)


def executed(code):
    """The names that the code makes, as a notebook would: what fails does not stop what comes after it.

    Also the first failure in words, or ``""``.
    """
    space = begun(code)
    try:
        body = ast.parse(code).body
    except BaseException as error:  # noqa: B902 - also too deep, or too large
        return space, told(error, code)
    named = {a.name for s in body if isinstance(s, ast.ImportFrom) and s.module == "__future__" for a in s.names}
    flags = sum(getattr(future, name).compiler_flag for name in named if hasattr(future, name))
    failure = missing = ""
    while body:
        waiting = []
        for statement in body:
            try:
                once(statement, flags, space)
            except NameError as error:  # cells are run in any order: it may be defined further down
                waiting.append(statement)
                missing = told(error, code)
            except BaseException as error:  # noqa: B902 - an exit in the code is an error of the code
                failure = failure or told(error, code)
        if len(waiting) == len(body):
            return space, failure or missing
        body = waiting
    return space, failure


def begun(code):
    """The names that a notebook has before its first cell, in a module of their own."""
    module = types.ModuleType("__main__")  # so that classes find the module they are of
    module.display = print  # IPython gives notebooks these two
    module.get_ipython = lambda: None
    linecache.cache[ANSWER] = (len(code), None, code.splitlines(keepends=True), ANSWER)
    sys.modules["__main__"] = module
    sys.path.insert(0, os.getcwd())  # modules beside the notebook, as Jupyter finds them
    return module.__dict__


def once(statement, flags, space):
    """Execute one statement."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        importlib.invalidate_caches()  # the code may have written the module just now
    exec(compile(ast.Module([statement], []), ANSWER, "exec", flags, dont_inherit=True), space)


def empty(code, name):
    """Whether the function is the stub as it was given."""
    from lmtune.grading.definitions import is_stub

    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False  # running it says why
    found = [s for s in body if isinstance(s, ast.FunctionDef) and s.name == name]
    return bool(found) and is_stub(found[-1])


def main():
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    replies = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="utf-8")
    request = json.loads(sys.stdin.readline())
    os.dup2(2, 1)  # from here on, what is printed is no reply
    sys.setrecursionlimit(DEEPEST)

    def reply(answer):
        replies.write(json.dumps(answer) + "\n")
        replies.flush()

    reply({})  # begun: the clock of the limits starts
    if "take" in request:
        from lmtune.grading.notebook_code import taken

        try:
            reply(taken(request))
        except Exception as error:  # nothing that a notebook holds ends in a traceback
            reply({"unreadable": str(error)[:400] or type(error).__name__})
    else:
        request["empty"] = empty(request["code"], request["name"])
        run(request, reply)


if __name__ == "__main__":
    main()
