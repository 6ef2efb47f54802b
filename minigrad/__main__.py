"""``python -m minigrad`` is ``minigrad``."""

from minigrad.cli import entry

if __name__ == "__main__":
    entry()
