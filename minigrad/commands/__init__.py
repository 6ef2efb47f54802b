"""The commands of ``minigrad``, a file each; a file that has ``add`` is a command, and is found by being here.

Each has two functions, and imports what is heavy only when it runs, so that ``minigrad --help`` answers at once:

    add(commands)     adds its parser to those of argparse, and says with ``set_defaults(run=run)`` what it calls
    run(args)         does it, and returns the exit status; :class:`~minigrad.commands.common.Refusal` for bad input

``common`` holds what they share.
"""

import importlib
import pkgutil


def modules():
    """Return the modules of the commands, in the order of their names.

    Example:
        >>> "demo" in [module.__name__.rpartition(".")[2] for module in modules()]
        True
    """
    found = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    return [module for module in found if hasattr(module, "add")]
