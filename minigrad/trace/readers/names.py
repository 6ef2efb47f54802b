"""Which column is the norm: by what the user said, or else by its name."""

import re
from typing import NamedTuple

from minigrad.trace.readers.source import listed


class Wanted(NamedTuple):
    """What the user said of a file: names of columns, a pattern, the start of the names of parameters' columns."""

    column: str | int | None = None
    step: str | int | None = None
    loss: str | int | None = None
    lr: str | int | None = None
    pattern: str | None = None
    parameter_prefix: str | None = None


class Plan(NamedTuple):
    """Which columns of a table to take, by their places; None where there is none.

    ``norm`` is None where only parameters have norms: then the norm of all together is formed of theirs.
    """

    norm: int | None
    step: int | None
    loss: int | None
    lr: int | None
    parameters: dict
    p: float = 2.0
    run: str = ""

    def taken(self, names):
        """Return what was taken as what, by names."""
        found = {role: names[place] for role in ("norm", "step", "loss", "lr")
                 if (place := getattr(self, role)) is not None}
        if self.parameters:
            first = names[next(iter(self.parameters.values()))]
            found["parameters"] = f"{len(self.parameters)} columns such as {first}"
        return found


class Unnamed(ValueError):
    """No column could be taken as the norm, or more than one."""


G = r"(?:g|grads?|gradients?)"
BEFORE = r"(?:pre|before|raw|unclipped|total|global|overall|all)"

NORM = [re.compile(pattern) for pattern in (
    rf"(?:train(?:ing|er)?_)?(?:{BEFORE}_)?{G}_?norm",                      # grad_norm, train/grad_norm, gnorm
    rf"(?:train(?:ing|er)?_)?{G}_(?:l?2_|2\.0_)?norm_(?:{BEFORE}(?:_clip\w*)?|step)",    # grad_2.0_norm_total
    r"grad_(?P<p>[0-9.]+|inf)_norm_total(?:_step)?",
    rf".*_{G}_?norm|{G}_l2_?norm|l2_norm_grad_global",                      # optim/grad_norm; Composer's
    rf".*_{G}_?norm_(?:{BEFORE}(?:_clip\w*)?|step)",
    r"(?:total|global)_norm",
    r"norm_in|norm",
)]
"""Names of a norm of the whole gradient, as :func:`plain` writes them, the surest first."""

OTHER = re.compile(r"(?:.*_)?(?:max|min|std|var|clipped|after|post|threshold|val|valid|eval|test)(?:_.*)?")
"""Names that are not guessed: a threshold such as max_grad_norm, a norm after clipping, or of an evaluation."""

LOG = re.compile(r"(?:.*_)?(?:log(?:2|10)?|ln)(?:_.*)?")
"""Names of logarithms, which are not guessed either; of a name with folders, log/grad_norm, the last part counts."""

STEP = [re.compile(pattern) for pattern in (
    r"(?:train(?:er)?_)?(?:global_)?steps?|step_?(?:num|number|idx|index)", r"iterations?|iters?|n_iter|it",
    r"(?:num_)?updates?", r".*_global_step|(?:optim(?:izer)?|env|training)_steps?", r"_step", r"i|n|t|batch(?:_idx)?",
    r"epochs?")]

LOSS = [re.compile(pattern) for pattern in (
    r"loss", r"train(?:ing|er)?_loss(?:_step)?|loss_(?:train|step)", r"(?:lm|total|train_inner|train_lm)_loss")]

LR = [re.compile(pattern) for pattern in (
    r"lr|learning_rate", r"train(?:ing|er)?_(?:lr|learning_rate)", r"lr_\w+|.*_lr|.*_learning_rate")]

PARAMETER = re.compile(rf"(?P<before>.*?{G}(?:_(?P<p>[0-9.]+|inf))?_norms?|l2_norm/grad)/(?P<name>.+)", re.IGNORECASE)
"""Names of the norm of one parameter's gradient: grad_2.0_norm/layer.weight, grad_norm/layer.weight."""

TOTALS = frozenset(("total", "global", "all", "overall", "total_norm", "global_norm"))


def plain(name):
    """Return a name in small letters with single underscores.

    Example:
        >>> plain("Train/Grad-Norm"), plain("gradNorm"), plain("grad_2.0_norm_total")
        ('train_grad_norm', 'grad_norm', 'grad_2.0_norm_total')
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()
    return re.sub(r"(?:[^a-z0-9.]|(?<!\d)\.|\.(?!\d))+", "_", name).strip("_") if name != "_step" else name


def choose(names, wanted, what="column"):
    """Return the :class:`Plan` for a table whose columns have these names.

    Raises:
        Unnamed: if none looks like a norm, or several do; it lists the names and says how to choose.
    """
    parameters, p, totals = of_parameters(names, wanted)
    norm = place(names, wanted.column, what) if wanted.column is not None else None
    taken = {*parameters.values(), norm}
    rest = [i for i in range(len(names)) if i not in taken]
    if norm is None:
        free = [i for i in rest if not OTHER.fullmatch(plain(names[i])) and not is_log(names[i])]
        found = sorted(totals) or best(names, NORM, free)
        if len(found) > 1:
            raise Unnamed(f"{len(found)} {what}s look like the norm: {listed(names[i] for i in found)}; "
                          f"choose by column=, as in column={names[found[0]]!r}")
        if not found and not parameters:
            logs = [names[i] for i in rest if is_log(names[i])]
            said = f" ({listed(logs)}: by the name a logarithm, which is no norm)" if logs else ""
            raise Unnamed(f"no {what} looks like a gradient norm{said}; choose one by column=. The {what}s are "
                          f"{listed(names, 30)}")
        norm = found[0] if found else None
    if norm is not None:
        total = re.search(r"grad_([0-9.]+|inf)_norm", str(names[norm]))
        p = float(total[1]) if total else p
    others = [i for i in rest if i != norm]
    parameters = {name: i for name, i in parameters.items() if i != norm}
    roles = {}
    for role, patterns in (("step", STEP), ("loss", LOSS), ("lr", LR)):
        said = getattr(wanted, role)
        places = best(names, patterns, others)[:1] if said is None else [place(names, said, what)]
        roles[role] = places[0] if places else None
    return Plan(norm, roles["step"], roles["loss"], roles["lr"], parameters, p if p >= 1 else 2.0)


def is_log(name):
    """Return whether a name is that of a logarithm.

    Example:
        >>> is_log("train/log_grad_norm"), is_log("grad_norm_log10"), is_log("log/grad_norm"), is_log("logits_norm")
        (True, True, False, False)
    """
    return LOG.fullmatch(plain(str(name).rpartition("/")[2])) is not None


def of_parameters(names, wanted):
    """Return which columns are the norm of one parameter each, in which p-norm, and which of them is the total."""
    parameters, totals, p = {}, [], 2.0
    for i, name in enumerate(map(str, names)):
        if wanted.parameter_prefix is not None:
            begins = wanted.parameter_prefix
            own = name[len(begins):] if begins and name.startswith(begins) and len(name) > len(begins) else None
        else:
            match = PARAMETER.fullmatch(name)
            match = None if match and is_log(match["before"]) else match
            own = match and match["name"]
            p = float(match["p"]) if match and match["p"] else p
        if own and own.lower() in TOTALS:
            totals.append(i)
        elif own:
            parameters[own] = i
    if wanted.parameter_prefix and not parameters:
        raise ValueError(f"no column begins with parameter_prefix={wanted.parameter_prefix!r}; the columns are "
                         f"{listed(names, 30)}")
    return parameters, p, totals


def best(names, patterns, places):
    """Return the places of the names that match the first pattern which any of them matches."""
    written = {i: plain(names[i]) for i in places}
    for pattern in patterns:
        found = [i for i in places if pattern.fullmatch(written[i])]
        if found:
            return found
    return []


def place(names, said, what="column"):
    """Return the place of the column that the user named: its name, the name in other letters, or its number from 1.

    Raises:
        ValueError: listing the columns.
    """
    if isinstance(said, int) and not isinstance(said, bool):
        if not 1 <= said <= len(names):
            raise ValueError(f"there is no {what} {said}; they are counted from 1 to {len(names)}")
        return said - 1
    for same in (lambda name: str(name) == said, lambda name: plain(name) == plain(said)):
        found = [i for i, name in enumerate(names) if same(name)]
        if found:
            return found[0]
    if said.isdecimal():
        return place(names, int(said), what)
    raise ValueError(f"there is no {what} {said!r}; the {what}s are {listed(names, 30)}")
