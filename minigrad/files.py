"""Files that appear whole or not at all."""

import errno
import os
import stat
from contextlib import contextmanager, suppress


@contextmanager
def whole(path, mode="w"):
    """Open a file for writing that takes its name only when it is complete.

    It is written beside ``path``, flushed to the disk, and moved into place in one step; if the block raises, or the
    program is killed, ``path`` is what it was.  When the block is left without an error, what was written outlives a
    power failure, too, where the file system keeps what was flushed.  Of two programs that write one path at once, the
    last one wins whole.

    A program that is killed while it writes leaves its unfinished file behind, ``.name.xxxxxxxx.part``.  Nobody removes
    it, for it cannot be told from one that is being written; it may be deleted when nobody writes.

    Args:
        path: where the file shall be; its folder must exist.  A file that is there keeps its permissions.
        mode: "w" (UTF-8 text, newlines as written) or "wb".

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
        >>> with whole(path) as file:
        ...     _ = file.write("all of it")
        >>> path.read_text()
        'all of it'
    """
    path = os.path.realpath(path)               # through a link, the file it names
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", folder)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EEXIST, "there is something that is no ordinary file, and stays", path)
    import tempfile  # 5 ms, for those who write

    # Names end at 255 bytes on most systems, and this one shall be no reason to refuse a long one.
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:50]}.", suffix=".part", dir=folder)
    try:
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, permissions(path))          # mkstemp makes it private
        os.replace(temporary, path)
        flush_folder(folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def permissions(path):
    """Return those of the file that is there, or those that an ordinary new one would have.

    Its owner may always read and write a new one: Python in a browser starts with a mask that forbids everything.
    """
    with suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o600 | 0o666 & ~mask


def flush_folder(folder):
    """Flush the new name of a file to the disk (4 ms on an ordinary disk); some systems don't open folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
