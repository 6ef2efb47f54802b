"""Pictures of traces; each function returns Axes (or an image) and never calls ``show``."""

from minigrad.plot.lanes import Lanes
from minigrad.plot.norms import losses, norms
from minigrad.plot.style import save, styled
from minigrad.plot.time import time_map

__all__ = ["Lanes", "losses", "norms", "save", "styled", "time_map"]
