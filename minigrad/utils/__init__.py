"""What stands beside training: batches of data."""

from minigrad.utils import data

__all__ = ["data"]
