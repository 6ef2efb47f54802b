"""NormTrace: records what happened to the gradient, and is saved and loaded; ``asked`` has what it answers."""

import numpy as np

from minigrad.trace import elsewhere
from minigrad.trace.asked import Asked, count
from minigrad.trace.bulk import columns_of
from minigrad.trace.columns import Rows
from minigrad.trace.grid import calls_of
from minigrad.trace.keeping import Everything, Thinned
from minigrad.trace.row import checked, rows_of


class NormTrace(Asked):
    """Norms per step and stage.

    Args:
        per_parameter: also keep a row for each parameter in each stage.
        every: keep every k-th step only (the first, and each k-th after it).
        reservoir: keep a uniform random sample of so many steps, in their order.  What counts as a step, here and for
            ``every``, is a call of ``optimizer.step`` with the held micro-batches before it.
        rng: a ``numpy.random.Generator`` or a seed for the sample; default seed 0.
        stream: a file, .csv or .jsonl, to which each step is appended when it is finished: what a run that is killed
            has recorded stays readable.  It gets every k-th step, also where memory keeps a sample of these.
        append: whether to go on with a stream that is there, as a run that is resumed does; its rows are read first.

    Attributes:
        rows: the rows as a sequence of :class:`Row`; each is made when it is looked at.
        totals: how many calls there were, and how they ended; those of steps that are not kept count too.
        source: how the trace was read, where it was: see :func:`minigrad.trace.read`; None otherwise.
        cut: None, or which line of the file that was loaded was cut short, and left out.

    Raises:
        ValueError: for ``every`` or ``reservoir`` below 1, or a stream of another ending.
        FileExistsError: if the stream is there and shall not be appended to.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import hooks, optim
        >>> w = mg.tensor([0.0, 0.0], requires_grad=True)
        >>> trace = mg.NormTrace()
        >>> opt = optim.SGD([w], lr=0.1, hooks=[hooks.ClipNorm(1.0)], trace=trace)
        >>> for g in ([3.0, 4.0], [0.3, 0.4]):
        ...     w.grad = g
        ...     report = opt.step()
        >>> trace.column("norm_in", hook="ClipNorm"), trace.column("norm_out", hook="ClipNorm")
        (array([5. , 0.5]), array([1. , 0.5]))
        >>> trace.share_clipped()
        0.5
    """

    source = cut = None

    def __init__(self, per_parameter=False, every=1, reservoir=None, rng=None, stream=None, append=False):
        self.per_parameter = per_parameter
        every, reservoir = count(every, "every"), None if reservoir is None else count(reservoir, "reservoir")
        if reservoir is not None and not isinstance(rng, np.random.Generator):
            rng = np.random.default_rng(0 if rng is None else rng)
        self._kept = Everything() if every == 1 and reservoir is None else Thinned(every, reservoir, rng)
        self._next = (0, 0)             # step and micro_step, for who does not say
        self._times = []                # norms over time that wait for their step
        self._stream = None
        if stream is not None:
            from minigrad.trace.stream import Stream

            self._stream = Stream(stream, append)
            self._go_on(self._stream.before)

    # ------------------------------------------------------------------------------------ record

    def record_report(self, report):
        """Append what one step did; the optimizer calls this."""
        self._record(rows_of(report))

    def record(self, grads, step=None, loss=None, lr=None, data=None, updates=None):
        """Append the norms of one step of a training that runs elsewhere.

        Three lines see a PyTorch program (``.grad`` is read, and nothing is kept or changed)::

            trace = mg.NormTrace(per_parameter=True)                                        # before the loop
            trace.record({n: p.grad for n, p in net.named_parameters()}, step, loss.item()) # after loss.backward()
            trace.save("trace.csv")                                                         # after the loop

        With JAX, gradients are arrays in dicts; dicts in dicts get names with dots::

            loss, grads = jax.value_and_grad(loss_fn)(params, batch)
            trace.record(grads, step, float(loss), data=params)

        With Keras (TensorFlow or JAX)::

            grads = tape.gradient(loss, model.trainable_variables)
            trace.record({v.path: g for v, g in zip(model.trainable_variables, grads)}, step, float(loss))

        Args:
            grads: name -> array (anything ``np.asarray`` takes; a tensor is detached and brought to the CPU first), or
                None where there is no gradient; or a dict of such dicts.
            step: its number, whole and >= 0; default counts on.
            loss, lr: numbers, to stand beside the norms.
            data: the parameters before the update, under the same names; for the ratio of update to data.
            updates: what is added to them, under the same names.

        Raises:
            TypeError: for what is no array of real numbers, naming it.
            ValueError: for ``step`` < 0, a name that is there twice, as "a.b" is in ``{"a.b": x, "a": {"b": y}}``, or
                names in data or updates that the gradients don't have.

        Example:
            >>> import numpy as np
            >>> from minigrad import NormTrace
            >>> trace = NormTrace(per_parameter=True)
            >>> for step in range(3):
            ...     trace.record({"fc.weight": np.full((2, 2), 0.5 ** step), "fc.bias": None}, step=step, loss=1.0)
            >>> trace.column("norm_in", stage=0), trace.matrix(by="layer").names
            (array([2. , 1. , 0.5]), ['fc'])
        """
        at = self._next if step is None else (count(step, "step", least=0), self._next[1])
        self._record(elsewhere.rows(at, grads, loss, lr, data, updates, self.per_parameter))

    def record_times(self, norms, step=None):
        """Append ||dL/dh_t||, the norm of the cotangent of a hidden state per time step.

        They are kept with the step that is recorded next, in a row of place "time"; :meth:`times` gives them back.

        Args:
            norms: T numbers, t = 0 first; or a dict t -> norm, as a hook of the steps fills it.
            step: default that of the step recorded next.

        Raises:
            TypeError, ValueError: for what is neither.

        Example:
            >>> import numpy as np
            >>> from minigrad import NormTrace, nn
            >>> rnn, trace, norms = nn.RNN(3, 4, rng=np.random.default_rng(0)), NormTrace(), {}
            >>> handle = rnn.register_step_hook(lambda g, t: norms.update({t: float(g.norm())}))
            >>> rnn(np.ones((7, 5, 3)))[1].sum().backward()
            >>> trace.record_times(norms)
            >>> trace.record({name: p.grad for name, p in rnn.named_parameters()})
            >>> trace.times().shape
            (1, 7)
        """
        self._times.append((elsewhere.over_time(norms), None if step is None else count(step, "step", least=0)))

    def append(self, row):
        """Append one :class:`Row`."""
        self.extend([row])

    def extend(self, rows):
        """Append some rows, to memory alone; all of them, or none.

        Raises:
            TypeError: for a row with something that is no number where there should be one.
            ValueError: if the trace keeps a part of the steps.
        """
        if not isinstance(self._kept, Everything):
            raise ValueError("a trace with every= or reservoir= keeps what it records itself; make a NormTrace() for "
                             "rows that are there already")
        self._kept.table.extend([checked(row) for row in rows])

    def _record(self, rows):
        if self._times:
            rows = rows + [elsewhere.times_row(rows[0], *waiting) for waiting in self._times]
        if self._stream is not None and self._kept.due:         # first: it may fail
            self._stream.append(rows)
        self._kept.take(rows)
        self._next, self._times = (rows[0].step + 1, rows[0].micro_step + 1), []

    def _go_on(self, table):
        """Take up the rows of a stream that is there already; thinned by ``every`` they are."""
        if len(table):
            self._next = tuple(int(table[name].array[-1]) + 1 for name in ("step", "micro_step"))
        if isinstance(self._kept, Everything):
            self._kept.table = table
        else:
            for rows in calls_of(table):
                self._kept.take(rows, due=True)

    # ---------------------------------------------------------------------------------------- rows

    @property
    def rows(self):
        """The rows, in order, as a sequence; each is made when it is looked at."""
        return Rows(self._kept.table, self.extend)

    def __len__(self):
        return len(self._kept.table)

    def __iter__(self):
        return iter(self.rows)

    def __eq__(self, other):
        if not isinstance(other, NormTrace):
            return NotImplemented
        return self._kept.table == other._kept.table

    __hash__ = None

    def __getstate__(self):
        return {**vars(self), "_stream": None}          # a copy writes into no file

    def __repr__(self):
        names = ", ".join(self.hooks()) or "none"
        first = int((self._chosen({}) & self._kept.table["stage"].equals(0)).sum())
        return f"NormTrace({first} steps, {len(self)} rows, stages: {names})"

    # ----------------------------------------------------------------------------------------- files

    def save(self, path):
        """Write the trace, without loss, as its ending says; the file appears whole or not at all.

        ``.csv``: a line per row, the columns in its first line.  ``.jsonl``: a JSON object per row, without what is not
        applicable; NaN, inf and -inf as the strings "nan", "inf", "-inf".  ``.npz``: an array per column, the texts of
        which are numbers, of the lists in ``texts`` (JSON in UTF-8).  A file has the rows that are kept: not the totals
        of others.

        Raises:
            ValueError: for another ending.
        """
        from minigrad.trace.formats import save

        save(self._kept.table, path)

    @classmethod
    def load(cls, path, whole=True):
        """Read a trace written by :meth:`save`, or a stream.

        Args:
            path: a .csv, .jsonl or .npz file.
            whole: False to leave out a last line that was cut short, as where a run was killed while it wrote; which
                that was says ``.cut``.

        Raises:
            ValueError: naming the file, and the line, if it is not such a file, or cut short.
        """
        from minigrad.trace.formats import load

        table, cut = load(path, whole)
        return cls._of(table, cut)

    @classmethod
    def from_columns(cls, columns, **others):
        """Make a trace of whole columns at once.

        Args:
            columns: column name -> sequence (None or masked: not applicable), or one value for all rows.  Needed is
                ``norm_in``; steps are counted where there are none; the rest is that of a gradient as backward left it.
            others: the same by keyword.

        Raises:
            KeyError: for a column that does not exist.
            ValueError: for columns of different lengths, naming them, or values that don't fit: a norm is not negative.

        Example:
            >>> from minigrad import NormTrace
            >>> NormTrace.from_columns({"norm_in": [1.0, 0.5, None]}, loss=[2.3, 2.2, 2.1])
            NormTrace(3 steps, 3 rows, stages: backward)
        """
        return cls._of(columns_of({**columns, **others}))

    @classmethod
    def _of(cls, table, cut=None):
        trace = cls()
        trace._go_on(table)
        trace.cut, trace.per_parameter = cut, bool(trace.parameters())
        return trace

    # ------------------------------------------------------------------------------------- questions

    def summary(self, *args, **kwargs):
        """Return what there is to say of the trace: see :func:`minigrad.trace.summary.summary`."""
        from minigrad.trace.summary import summary

        return summary(self, *args, **kwargs)

    def advise(self, *args, **kwargs):
        """Return what threshold to clip at, and on what grounds: see :func:`minigrad.trace.advice.advise`."""
        from minigrad.trace.advice import advise

        return advise(self, *args, **kwargs)
