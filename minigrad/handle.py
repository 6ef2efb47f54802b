"""The handle by which a registered hook is taken out again."""


class Handle:
    """What registering a hook returns: ``remove()`` takes the hook out again; twice is harmless."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks, fn):
        self._hooks, self._key = hooks, object()
        hooks[self._key] = fn

    def remove(self):
        """Take the hook out."""
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
