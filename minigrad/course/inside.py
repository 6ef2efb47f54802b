"""What runs in the kernel: the limits it sets itself, and the checks that it keeps before a learner's cell has run.

The learner's cells and the checks share one process, for an answer is a function and cannot be sent to another.  So
this guards against accident and carelessness, not against somebody who attacks it; see :mod:`minigrad.course.marking`.
"""

import contextlib
import io
import signal
import sys

import minigrad.check

MARK = "minigrad.mark"
"""The key under which a request names the exercises to be marked, and under which the reply has what came of it."""

NOTHING = object()
LONGEST = 4000
"""Characters kept of what a check prints, and of the message of an error."""

QUIET = ("--HistoryManager.enabled=False", "--InteractiveShell.colors=NoColor", "--Application.log_level=CRITICAL")


class Tail(io.TextIOBase):
    """A stream that keeps the end of what is written to it, and so never grows.

    Example:
        >>> tail = Tail()
        >>> tail.write("a long text " * 10_000) and len(tail.text)
        4000
    """

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        """Take a text, and forget what is too long ago."""
        self.text = (self.text + text[-LONGEST:])[-LONGEST:]
        return len(text)

    def writable(self):
        """It is."""
        return True


def limit(memory):
    """Let this process have no more than so many bytes of memory, where the system can enforce that, and no core dump.

    What asks for more gets a MemoryError, or is killed; not the machine.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def end_with_parent():
    """Let this process be killed when the one that started it ends, even if that was killed itself, where it can be.

    The kernel looks out for that, too, but not while a learner's endless loop has the interpreter.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)          # PR_SET_PDEATHSIG


def mark(name, check, answer):
    """Run a check on an answer, and return a dict with its "points", its "line", and the "error" that ended it, if any.

    Example:
        >>> mark("chain_factor", minigrad.check.chain_factor, lambda w, T: w ** T)
        {'points': 1, 'line': 'chain_factor: passed, 30 inputs tried.', 'error': ''}
        >>> import sys
        >>> mark("chain_factor", minigrad.check.chain_factor, lambda w, T: sys.exit("enough"))
        {'points': 0, 'line': '', 'error': 'SystemExit: enough'}
    """
    tail, points, error = Tail(), 0, ""
    try:
        with contextlib.redirect_stdout(tail), contextlib.redirect_stderr(tail):
            points = int(check(answer))
    except BaseException as raised:         # SystemExit, KeyboardInterrupt, and what a learner derives from these
        error = described(raised)
    lines = [line for line in tail.text.splitlines() if f"{name}: " in line]
    line = lines[-1] if lines and not error else ""
    return {"points": points, "line": line[line.find(f"{name}: "):] if line else "", "error": error}


def described(error):
    """Return an error as text, whatever its own ``__str__`` does."""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    return f"{type(error).__name__}: {text}".removesuffix(": ")[:LONGEST]


def main(connection, tutorial, memory):
    """Be a kernel.

    Args:
        connection: path of the connection file that the client has written.
        tutorial: number of the tutorial, whose checks it keeps.
        memory: bytes that it may use.
    """
    limit(memory)
    end_with_parent()
    checks = {name: getattr(minigrad.check, name) for name in minigrad.check.EXERCISES[tutorial][1]}
    used = {}                               # id -> the exercises it was taken for, and the object, kept that it live on

    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    class Kernel(IPythonKernel):
        """IPython's kernel, which also marks."""

        async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **more):
            """Run a cell, or mark the exercises that the request names."""
            wanted = (user_expressions or {}).get(MARK)
            if wanted is None:
                reply = await super().do_execute(code, silent, store_history, user_expressions, allow_stdin)
                # An error may have a message of a gigabyte.
                return {**reply, "traceback": [], "evalue": str(reply.get("evalue", ""))[:LONGEST]}
            outcome, answer = None, self.shell.user_ns.get("answer", NOTHING)
            # An answer stays the answer to its own exercise, where a later one lacks its own.
            if answer is not NOTHING and used.setdefault(id(answer), (wanted, answer))[0] == wanted:
                outcome = {name: mark(name, checks[name], answer) for name in wanted.split()}
            return {"status": "ok", "execution_count": 0, "payload": [], "user_expressions": {MARK: outcome}}

    def leave(*_, **__):
        raise SystemExit

    app = IPKernelApp.instance(kernel_class=Kernel)
    app.initialize(["-f", connection, *QUIET])
    app.shell.ask_exit = leave              # quit() would stop the kernel after the cell; so it ends the cell
    app.start()
