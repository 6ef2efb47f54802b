"""A Jupyter kernel in a process of its own that runs cells within limits, and is killed where it does not keep them."""

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty
from typing import NamedTuple

import minigrad
from minigrad.course.inside import LONGEST, MARK

START = 60
"""Seconds that a kernel may take to start; a machine that many share is slow."""

GRACE = 3
"""Seconds that a cell has to end after it was interrupted, before its kernel is killed."""

PACKAGES = ("jupyter_client", "ipykernel")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
BOOT = """\
import sys
root = sys.argv.pop(1)
sys.path.insert(0, root)
from minigrad.course import inside
sys.path.remove(root)
"""
"""Imports this minigrad, whatever lies in the learner's folder, and leaves the path as it was."""

GO = "inside.main(sys.argv[1], sys.argv[2], int(sys.argv[3]))\n"
ROOT = str(Path(minigrad.__file__).resolve().parents[1])


class KernelError(Exception):
    """No kernel can be had; the message says why."""


class Reply(NamedTuple):
    """What came of a request.

    Attributes:
        kind: "ok", "error" (the cell raised), "time" (it was stopped at its limit), or "died" (the process did).
        text: of an error its name and message; of a process that died, how.
        marks: of a request to mark, a dict name -> what :func:`minigrad.course.inside.mark` returned, or None where no
            ``answer`` was defined since another exercise was marked.
    """

    kind: str
    text: str = ""
    marks: dict | None = None


def missing():
    """Return the packages that a kernel needs and that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


class Kernel:
    """A running kernel; a context manager, which kills it at the end.

    It computes on one thread, with the folder of the notebook as its working directory and none of the user's own
    settings of IPython.  Nobody listens to what it prints, so however much that is, nothing fills up.

    Args:
        folder: working directory.
        tutorial: number of the tutorial, whose checks it keeps.
        memory: bytes that it may use (where the system can enforce that: Linux).

    Attributes:
        alive: whether it still runs; a reply of the kind "time" may leave it so, or not.

    Raises:
        KernelError: if it does not start.
    """

    def __init__(self, folder, tutorial, memory):
        if missing():
            raise KernelError(f"{' and '.join(missing())} cannot be imported")
        from jupyter_client import KernelManager
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

        command = [sys.executable, "-P", "-c", BOOT + GO, ROOT, "{connection_file}", tutorial, str(memory)]

        class OwnSpec(KernelSpecManager):
            """This Python, and not the one that the user may have called "python3"."""

            def get_kernel_spec(self, kernel_name):
                return KernelSpec(argv=command, display_name="minigrad", language="python")

        self.place = tempfile.TemporaryDirectory(prefix="minigrad-")
        # Sockets in a folder of their own instead of ports: nobody else can take one, and nothing listens outside.
        # The address of such a socket holds about 100 bytes.
        files = {"connection_file": os.path.join(self.place.name, "kernel.json")}
        if os.name == "posix" and len(os.fsencode(self.place.name)) < 80:
            files |= {"transport": "ipc", "ip": os.path.join(self.place.name, "kernel")}
        silent = logging.Logger("minigrad")     # what goes wrong is raised, and told in one line
        silent.addHandler(logging.NullHandler())
        self.manager = KernelManager(kernel_spec_manager=OwnSpec(), log=silent, **files)
        self.client, self.alive = None, True
        try:
            self.start(folder)
        except BaseException:
            self.close()
            raise

    def start(self, folder):
        """Start the process, and wait until it answers."""
        settings = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "IPYTHONDIR": self.place.name,
                    "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        settings.pop("PYTHONSTARTUP", None)
        if "PYTHONPATH" in settings:        # what is relative there means this folder, not the learner's
            settings["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, settings["PYTHONPATH"].split(os.pathsep)))
        null = subprocess.DEVNULL
        try:
            self.manager.start_kernel(cwd=str(folder), env=settings, stdin=null, stdout=null, stderr=null)
        except OSError as error:            # no more processes, or none at all, as in a browser
            raise KernelError(f"it cannot be started ({error.strerror or error})") from None
        self.client = self.manager.client()
        self.client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
        if self.reply_to(self.client.kernel_info(), START) is None:
            raise KernelError(f"it does not start within {START} seconds" if self.alive else
                              why_not(folder, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, source, seconds):
        """Run a cell for at most so many seconds, and return a :class:`Reply`."""
        request = self.client.execute(source, store_history=False, allow_stdin=False, stop_on_error=False)
        return self.outcome(request, seconds)

    def mark(self, names, seconds):
        """Mark what is now called ``answer`` as these exercises; return a :class:`Reply`.

        From then on it is no answer to others.
        """
        request = self.client.execute("", silent=True, user_expressions={MARK: " ".join(names)}, allow_stdin=False,
                                      stop_on_error=False)
        return self.outcome(request, seconds)

    def outcome(self, request, seconds):
        """Wait for the reply to a request; interrupt what takes too long, and kill what doesn't heed that."""
        content = self.reply_to(request, seconds)
        if content is None and self.alive:
            self.manager.interrupt_kernel()
            if self.reply_to(request, GRACE) is None:
                self.kill()
            return Reply("time")
        if content is None:
            self.kill()
            return Reply("died")
        if content["status"] != "ok":
            text = f"{content.get('ename', '')}: {content.get('evalue', '')}"
            return Reply("error", text.removesuffix(": ")[:LONGEST])
        return Reply("ok", marks=content.get("user_expressions", {}).get(MARK))

    def reply_to(self, request, seconds):
        """Return the content of the reply to a request; None if there is none in that time, or the process ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            was_alive = self.manager.is_alive()
            try:
                message = self.client.get_shell_msg(timeout=min(left, 0.2))
            except Empty:
                if not was_alive:
                    self.alive = False
                    return None
                continue
            if message["parent_header"].get("msg_id") == request:
                return message["content"]
        return None

    def kill(self):
        """End the process, and those that it has started."""
        self.alive = False
        self.manager.shutdown_kernel(now=True)

    def close(self):
        """End the process, and leave nothing behind."""
        try:
            if self.client is not None:
                self.client.stop_channels()
            if self.manager.has_kernel:
                self.manager.shutdown_kernel(now=True)
            self.manager.cleanup_resources()
        finally:
            self.alive = False
            self.place.cleanup()


def why_not(folder, settings):
    """Return in one line why a kernel did not start: the last line of what its imports say."""
    program = BOOT + "import ipykernel.kernelapp"
    done = subprocess.run([sys.executable, "-P", "-c", program, ROOT], cwd=folder, env=settings, capture_output=True,
                          text=True, timeout=START)
    lines = done.stderr.strip().splitlines()
    return lines[-1] if done.returncode and lines else "it ended while it started; is --memory too small?"
