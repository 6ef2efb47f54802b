"""Trajectories under clipping and accumulation are those of PyTorch and of optax, to 1e-12 over 200 updates.

Each case is compared with what the other library gave (``tests/trajectories/``, written by ``python
tests/test_against_others.py``, which needs torch, jax and optax) and, where it is installed, with the library itself.
Neither has ``Accumulate``: the mean over a window is formed by hand beside PyTorch, and optax's ``MultiSteps`` knows
windows of equal micro-batches alone.
"""

import json
import math
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue

FOLDER = Path(__file__).parent / "trajectories"
SHAPES = {"matrix": (2, 2), "vector": (3,), "number": (), "empty": (0, 2), "late": (1,)}
UPDATES = 200
SEEN = [1, 10, 50, 200]                 # the updates after which the numbers are recorded
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.05}),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "Adam": ("Adam", {"lr": 0.01}),
    "AdamW": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
}
CLIPS = {"no clip": None, "p = 1": (1, 3.0), "p = 2": (2, 1.5), "p = 3": (3, 1.2), "p = inf": (math.inf, 1.0),
         "value": 0.3}
CASES = [(kind, clip, every) for kind in OPTIMIZERS for clip in CLIPS for every in (1, 3, 4)]
OPTAX_CASES = [(kind, clip, every) for kind in OPTIMIZERS for clip in ("no clip", "p = 2", "value") for every in (1, 4)]
OPTAX_CASES += [("Adam", "p = 2 per micro-batch", 4)]


# --------------------------------------------------------------------------------------------- the same data for all

def uniform(seed, count):
    """Numbers in [-1, 1) from raw bits: NumPy keeps a bit generator's stream for ever, but not that of normal()."""
    return (np.random.PCG64(seed).random_raw(count) >> 11) * 2.0 ** -52 - 1


@cache
def start():
    return dict(pieces(uniform(1, 9)))


def pieces(numbers):
    """Cut a vector into (name, array) of all parameters."""
    first = 0
    for name, shape in SHAPES.items():
        size = math.prod(shape)
        yield name, numbers[first:first + size].reshape(shape)
        first += size


@cache
def windows(every, equal=False):
    """Return the windows: lists of (weight, name -> gradient or None).

    Sizes differ from 1/16 to 16 times, weights from 1 to 32, three gradients in ten are missing (but never all of
    them), and the last window is not full.  With ``equal`` all weights are 1, zeros stand for what is missing, and
    all windows are full: optax knows neither weights nor None nor a flush.
    """
    out, seed = [], 100
    for number in range(UPDATES):
        partial = number == UPDATES - 1 and not equal
        out.append([])
        for _ in range(max(1, every - 1 - number % 2) if partial else every):
            seed += 1
            kind, absent, numbers = np.split(uniform(seed, 16), [2, 7])
            scale, weight = 2.0 ** round(4 * kind[0]), 1.0 if equal else math.floor(16 * kind[1]) + 17.0
            grads = dict(pieces(numbers * scale))
            for name, x in zip(list(SHAPES)[1:], absent):
                if x < -0.4 or (name == "late" and number < 5):
                    grads[name] = np.zeros(SHAPES[name]) if equal else None
            out[-1].append((weight, grads))
    return out


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


# ------------------------------------------------------------------------------------------- three ways to walk

@cache
def by_minigrad(kind, clip, every, equal=False, compat="torch"):
    """Return the path, and the share of updates in which the clip acted."""
    name, arguments = OPTIMIZERS[kind]
    before, clip = clip.endswith("per micro-batch"), CLIPS[clip.removesuffix(" per micro-batch")]
    hooks = [Accumulate(every)] if every > 1 else []
    if clip is not None:
        hook = ClipNorm(clip[1], p=clip[0], compat=compat) if isinstance(clip, tuple) else ClipValue(clip)
        hooks.insert(0 if before else len(hooks), hook)
    params = {key: mg.tensor(a, requires_grad=True) for key, a in start().items()}
    opt, path, clipped = getattr(optim, name)(params, hooks=hooks, **arguments), [], 0
    for window in windows(every, equal):
        for weight, grads in window:
            for key, g in grads.items():
                params[key].grad = g
            report = opt.step(weight=weight)
        if report.status == "hold":
            report = opt.flush()
        clipped += report.stages[-1].clipped
        path.append(flat(p.data for p in params.values()))
    assert (opt.updates, opt.skipped) == (UPDATES, 0)
    return np.array(path), clipped / UPDATES


def by_torch(kind, clip, every):
    import torch
    name, arguments = OPTIMIZERS[kind]
    params = {key: torch.tensor(a, requires_grad=True) for key, a in start().items()}
    # The inf-norm of nothing is an error in PyTorch, and 0 here.
    clip, clipped, path = CLIPS[clip], [p for p in params.values() if p.numel()], []
    opt = getattr(torch.optim, name)(params.values(), **arguments)
    for window in windows(every):
        # A parameter that no micro-batch of the window reaches has no gradient; one that some reach has the sum of
        # theirs, divided by all weights: no path in one micro-batch counts as a gradient of zero there.
        total = sum(weight for weight, _ in window)
        for key, p in params.items():
            terms = [weight * torch.tensor(grads[key]) for weight, grads in window if grads[key] is not None]
            p.grad = sum(terms) / total if terms else None
        if isinstance(clip, tuple):
            torch.nn.utils.clip_grad_norm_(clipped, clip[1], norm_type=clip[0])
        elif clip is not None:
            torch.nn.utils.clip_grad_value_(clipped, clip)
        opt.step()
        path.append(flat(p.detach().numpy() for p in params.values()))
    return np.array(path)


@contextmanager
def in_float64():
    import jax
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        with jax.default_device(jax.devices("cpu")[0]):
            yield jax
    finally:
        jax.config.update("jax_enable_x64", before)


def by_optax(kind, clip, every):
    """What differs in the formulas, and why the numbers are the same all the same:

    * ``clip_by_global_norm`` is g / norm * c where norm >= c: ours, without any 1e-6, but for one rounding at norm = c;
    * ``sgd(momentum)`` is a trace, t <- g + mu t, which begins at 0: PyTorch's v, which begins at g;
    * ``adam`` has two eps; the one under the root, ``eps_root``, is 0, the one beside it is PyTorch's;
    * ``adamw`` decays by 1e-4 if nothing is said, and adds the decay to Adam's step where PyTorch shrinks the
      parameter first: p - lr (u + wd p) = (1 - lr wd) p - lr u;
    * there is no None: a gradient of zero moves the moments and t, there and here;
    * ``MultiSteps`` holds a running mean, a + (g - a) / n, of equal micro-batches, has no flush, and gathers float64
      gradients in float32 if nothing is said: that alone would make 5e-8 here.
    """
    import optax
    lr, others = OPTIMIZERS[kind][1]["lr"], {k: v for k, v in OPTIMIZERS[kind][1].items() if k != "lr"}
    kinds = {"SGD": optax.sgd, "momentum": optax.sgd, "Adam": optax.adam, "AdamW": optax.adamw}
    before, clip = clip.endswith("per micro-batch"), CLIPS[clip.removesuffix(" per micro-batch")]
    limit = (optax.identity() if clip is None else optax.clip_by_global_norm(clip[1]) if isinstance(clip, tuple)
             else optax.clip(clip))
    after = [kinds[kind](lr, **others)]
    after[:0] = [] if before else [limit]
    with in_float64() as jax:
        opt = optax.MultiSteps(optax.chain(*after), every, accumulator_dtype="float64").gradient_transformation()
        opt = optax.chain(limit, opt) if before else opt

        def step(carried, grads):
            params, state = carried
            updates, state = opt.update(grads, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), params

        begin = {key: jax.numpy.asarray(a) for key, a in start().items()}
        grads = [g for window in windows(every, equal=True) for _, g in window]
        stacked = {key: np.array([g[key] for g in grads]) for key in SHAPES}
        path = jax.jit(lambda stack: jax.lax.scan(step, (begin, opt.init(begin)), stack)[1])(stacked)
        path = {key: np.asarray(a) for key, a in path.items()}
    return np.array([flat(path[key][i] for key in SHAPES) for i in range(every - 1, len(grads), every)])


# ----------------------------------------------------------------------------------------------- the comparisons

def label(kind, clip, every):
    return f"{kind}, {clip}, window {every}"


def recorded(library, *case):
    return np.array(json.loads((FOLDER / f"{library}.json").read_text(encoding="utf-8"))[label(*case)])


def same(got, expected):
    """To 1e-12 of the size of the values, and no less than they have moved."""
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-12 * np.abs(expected).max()


def every_case(cases):
    return pytest.mark.parametrize(("kind", "clip", "every"), cases, ids=[label(*case) for case in cases])


@every_case(CASES)
def test_the_path_is_pytorchs(kind, clip, every):
    path, clipped = by_minigrad(kind, clip, every)
    same(path[np.array(SEEN) - 1], recorded("torch", kind, clip, every))
    if isinstance(CLIPS[clip], tuple):          # or it would be a test of a clip that never acts, or always
        assert 0.2 < clipped < 0.8
    assert (clipped > 0) == (clip != "no clip")


@every_case(CASES)
def test_the_path_is_pytorchs_here_and_now(kind, clip, every):
    pytest.importorskip("torch")
    same(by_minigrad(kind, clip, every)[0], by_torch(kind, clip, every))


@every_case(OPTAX_CASES)
def test_the_path_is_optaxs(kind, clip, every):
    path, _ = by_minigrad(kind, clip, every, True, None)
    same(path[np.array(SEEN) - 1], recorded("optax", kind, clip, every))


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["four", "all"])
def test_the_paths_are_optaxs_here_and_now(few):
    """Four of them unless asked for, as each is compiled; in a process of its own, as JAX and PyTorch crash in one."""
    if not (find_spec("jax") and find_spec("optax")):
        pytest.skip("needs jax and optax")
    cases = [case for case in OPTAX_CASES if not few or case[1:] == ("p = 2", 4)]
    ran = subprocess.run([sys.executable, "-W", "ignore", __file__, *(label(*case) for case in cases)],
                         capture_output=True, text=True, check=False, timeout=300,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert ran.returncode == 0, ran.stderr
    paths = json.loads(ran.stdout)
    assert list(paths) == [label(*case) for case in cases]
    for case in cases:
        same(by_minigrad(*case, True, None)[0], np.array(paths[label(*case)]))


def spread(t, b1=0.9, b2=0.999):
    """The largest |m^| / sqrt(v^) after t updates, by Cauchy and Schwarz: the root of sum a_k^2 / b_k, where a and b
    are the shares that the k-th last gradient has in m^ and v^."""
    k = np.arange(t)
    a, b = ((1 - beta) * beta ** k / (1 - beta ** t) for beta in (b1, b2))
    return math.sqrt(np.sum(a * a / b))


@every_case([case for case in CASES if case[1].startswith("p") and case[2] == 3])
def test_the_exact_coefficient_leads_as_near_as_it_must(kind, clip, every):
    """Without compat: c / n for PyTorch's c / (n + 1e-6), where n > c.

    The clipped gradients differ by c * 1e-6 / (n + 1e-6) < 1e-6 in their norm, so the paths of SGD part by less
    than lr * 1e-6 / (1 - momentum) per update.  Adam's gradients shrink by factors between 1 - d and 1, d = 1e-6 / c:
    m^ changes by at most d K sqrt(v^) and sqrt(v^) by a factor in [1 - d, 1], so an update by less than
    2 lr d K / (1 - d).
    """
    path, arguments = by_minigrad(kind, clip, every, False, None)[0], OPTIMIZERS[kind][1]
    apart = np.abs(path[np.array(SEEN) - 1] - recorded("torch", kind, clip, every)).max(axis=1)
    for t, distance in zip(SEEN, apart):
        d = 1e-6 / CLIPS[clip][1]
        each = 2 * d * spread(t) / (1 - d) if "Adam" in kind else 1e-6 / (1 - arguments.get("momentum", 0))
        assert distance <= arguments["lr"] * each * t + 1e-12
    assert apart[-1] > 1e-11                    # they do differ


def test_the_data_are_what_they_are_said_to_be():
    for every in (1, 3, 4):
        batches = [batch for window in windows(every) for batch in window]
        assert len(batches) == every * (UPDATES - 1) + max(1, every - 2)
        weights = [weight for weight, _ in batches]
        assert (min(weights), max(weights), all(w % 1 == 0 for w in weights)) == (1, 32, True)
        for name in list(SHAPES)[1:]:
            assert 0.2 < np.mean([grads[name] is None for _, grads in batches]) < 0.4
        # ... and of whole windows, in which nothing reached a parameter, so that its moments and its t must wait.
        assert any(all(grads["vector"] is None for _, grads in window) for window in windows(every))


def test_the_record_is_whole_and_small():
    for library, cases in (("torch", CASES), ("optax", OPTAX_CASES)):
        file = FOLDER / f"{library}.json"
        table = json.loads(file.read_text(encoding="utf-8"))
        assert sorted(table) == sorted(label(*case) for case in cases)
        assert {np.shape(rows) for rows in table.values()} == {(len(SEEN), 9)}
        assert file.stat().st_size < 75_000


if __name__ == "__main__" and sys.argv[1:]:
    json.dump({label(*case): by_optax(*case).tolist() for case in OPTAX_CASES if label(*case) in sys.argv}, sys.stdout)
elif __name__ == "__main__":
    for library, walk, cases in (("torch", by_torch, CASES), ("optax", by_optax, OPTAX_CASES)):
        ends = {label(*case): walk(*case)[np.array(SEEN) - 1].tolist() for case in cases}
        lines = [f"{json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in ends.items()]
        (FOLDER / f"{library}.json").write_text("{" + ",\n ".join(lines) + "}\n", encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / library}.json\n")
