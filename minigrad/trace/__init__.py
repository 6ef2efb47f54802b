"""What happened to the gradient, per step and stage, as data: recorded, kept, read, saved, asked.

Attach a :class:`NormTrace` to an optimizer and every step is recorded: the norm before and after each hook, how much it
scaled and turned the gradient, and what was not finite, zero or missing.  A row per step and stage (and per parameter,
on request), with these columns:

    step         updates made before this one
    micro_step   calls of optimizer.step made before this one
    stage        0 for the gradient as backward left it, then 1, 2, ... for the hooks, the update hooks and the update
    hook         name of the hook; "backward" for stage 0 ("flush" where a window was flushed), "update" for the update
    place        "gradient" or "update"; "time" for norms of dL/dh_t over time, which are in ``extra``
    group        name of the parameter group whose own hook it is; empty for a hook of all parameters
    parameter    name of the parameter; empty for all of them together
    status       "pass"; "hold", "skip" or "raise" where the hook stopped the step; "window" where it released a window
    outcome      of the whole step: "step", "hold", "skip" or "raise"
    reason       why the hook held, skipped or raised, or what it noted
    p            which p-norm the norms and the threshold are in
    norm_in, norm_out, coefficient, cosine, threshold
    nan, inf, zero   elements of what came in that are NaN, infinite, zero
    missing      parameters without a gradient
    weight, lr, loss     as given to optimizer.step (the weight of a flushed window is the sum in it)
    extra        what else the hook noted, as JSON
    data         of the update: the norm of the parameters that it moved, before it, so that norm_out / data is the
                 update-to-data ratio

An empty cell means not applicable.  The last column, ``data``, may be missing in a file.

``row`` has a row, ``columns`` the table that holds them; ``norm_trace`` records, ``asked`` answers, ``keeping`` decides
which steps are kept; ``elsewhere`` measures arrays of other programs, ``bulk`` takes whole columns, ``grid`` makes
matrices; ``formats`` and ``stream`` write and read files, ``readers`` read those of others; ``series`` is the norm of a
run, ``robust`` its statistics, ``risers`` the parameter in which it began; ``summary`` and ``advice`` say what is in
it, ``report`` how that is written.
"""

from minigrad.trace.grid import Matrix
from minigrad.trace.keeping import Totals
from minigrad.trace.norm_trace import NormTrace
from minigrad.trace.row import Row

__all__ = ["Matrix", "NormTrace", "Row", "Source", "Totals", "read"]


def __getattr__(name):
    if name in ("read", "Source"):          # when it is first asked for: who only trains need not wait for it
        from minigrad.trace import readers

        return getattr(readers, name)
    raise AttributeError(f"module 'minigrad.trace' has no attribute {name!r}")
