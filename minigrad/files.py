"""Files that appear whole or not at all."""

import errno
import os
from contextlib import contextmanager, suppress


@contextmanager
def whole(path, mode="w"):
    """Open a file for writing that takes its name only when it is complete.

    It is written beside ``path``, flushed to the disk, and moved into place in one step; if the block
    raises, or the program is killed, ``path`` is what it was.

    Args:
        path: where the file shall be; its folder must exist.
        mode: "w" (UTF-8 text, newlines as written) or "wb".

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
    import tempfile  # 5 ms, for those who write

    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
    try:
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)      # as an ordinary new file would be; mkstemp makes it private
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
