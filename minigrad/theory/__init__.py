"""What theory predicts of gradients before a net is trained: closed forms and quadrature, in NumPy alone.

``mean_field`` has wide plain nets; ``residual_trajectory`` and ``profile`` go from layer to layer; ``driven_rnn``,
``latch``, ``linear_rnn`` and ``lyapunov`` from time step to time step; ``finite_width`` and ``isometry`` say what width
and depth add.
"""

from minigrad.theory.activations import activation, leaky_relu
from minigrad.theory.critical import critical_line
from minigrad.theory.finite_width import FiniteWidth, finite_width, isometry
from minigrad.theory.lengths import FixedPoint, chi_1, chi_at, fixed_points, length_map, q_star, trajectory
from minigrad.theory.lyapunov import Lyapunov, lyapunov, lyapunov_spectrum
from minigrad.theory.mean_field import DepthScales, MeanField, correlation_map, depth_scales, mean_field
from minigrad.theory.profiles import profile, weight_profile
from minigrad.theory.recurrent import DrivenRNN, Latch, driven_rnn, latch
from minigrad.theory.residual import residual_trajectory
from minigrad.theory.spectra import (
    LinearRNN, Transient, digamma, linear_rnn, newman_exponents, singular_values, spectral_norm, spectral_radius,
    transient, trigamma)

__all__ = [
    "DepthScales", "DrivenRNN", "FiniteWidth", "FixedPoint", "Latch", "LinearRNN", "Lyapunov", "MeanField", "Transient",
    "activation", "chi_1", "chi_at", "correlation_map", "critical_line", "depth_scales", "digamma", "driven_rnn",
    "finite_width", "fixed_points", "isometry", "latch", "leaky_relu", "length_map", "linear_rnn", "lyapunov",
    "lyapunov_spectrum", "mean_field", "newman_exponents", "profile", "q_star", "residual_trajectory",
    "singular_values", "spectral_norm", "spectral_radius", "trajectory", "transient", "trigamma", "weight_profile",
]
