"""Pictures of traces and flows; each function returns Axes, or says what else, and never calls ``show``."""

from minigrad.plot.animate import animate, animation
from minigrad.plot.cliff import cliff, cliff_surface
from minigrad.plot.dashboard import dashboard
from minigrad.plot.descent import descent
from minigrad.plot.explore import explore
from minigrad.plot.flow import flow
from minigrad.plot.gradients import gradient_histograms
from minigrad.plot.graph import graph
from minigrad.plot.histograms import angles, coefficients
from minigrad.plot.lanes import Lanes
from minigrad.plot.layers import layer_map
from minigrad.plot.norms import losses, norms
from minigrad.plot.phase import phase
from minigrad.plot.runs import runs
from minigrad.plot.spectrum import spectrum
from minigrad.plot.style import save, styled
from minigrad.plot.time import time_curve, time_map
from minigrad.plot.training import clipped_share, training
from minigrad.plot.updates import update_ratio

__all__ = [
    "Lanes",
    "angles",
    "animate",
    "animation",
    "cliff",
    "cliff_surface",
    "clipped_share",
    "coefficients",
    "dashboard",
    "descent",
    "explore",
    "flow",
    "gradient_histograms",
    "graph",
    "layer_map",
    "losses",
    "norms",
    "phase",
    "runs",
    "save",
    "spectrum",
    "styled",
    "time_curve",
    "time_map",
    "training",
    "update_ratio",
]
