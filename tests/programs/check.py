"""What must hold for every program: each check raises AssertionError with a listing of the program."""

import contextlib

import numpy as np

import minigrad as mg
from programs.build import ARRAYS, HELPERS, TENSORS, TORCH, torch


def tensors(program, arrays=None):
    """Return the leaves as tensors that require a gradient."""
    return {name: mg.tensor(a, requires_grad=True) for name, a in (arrays or program.leaves).items()}


def gradient(program, leaves, *, held=None, **options):
    """Return dloss/dleaf for each leaf (0 where the loss does not depend on it), as tensors."""
    loss = program.loss(program.run(leaves, TENSORS, held), TENSORS)
    return filled(mg.grad(loss, list(leaves.values()), allow_unused=True, **options), leaves)


def filled(gs, leaves):
    return [mg.tensor(np.zeros_like(x.data)) if g is None else g for g, x in zip(gs, leaves.values(), strict=True)]


def directions(program, seed=3):
    """Return a random direction for each leaf, together of length 1."""
    rng = np.random.default_rng(seed)
    us = [rng.normal(size=a.shape) for a in program.leaves.values()]
    return [u / np.sqrt(sum((v * v).sum() for v in us)) for u in us]


def curvature(program, leaves, us, held=None):
    """Return the Hessian of the loss times a direction, by minigrad's double backward."""
    gs = gradient(program, leaves, held=held, create_graph=True)
    slope = sum((g * u).sum() for g, u in zip(gs, us, strict=True))
    if not slope.requires_grad:
        return [np.zeros(x.shape) for x in leaves.values()]
    return [h.data for h in filled(mg.grad(slope, list(leaves.values()), allow_unused=True), leaves)]


def agree(program, what, got, expected, rtol, noise=None):
    """Compare lists of arrays by their largest difference, relative to the largest element of all.

    ``noise`` measures, where the first look fails, how far rounding alone could have moved the numbers.
    """
    got, expected = ([np.asarray(a) for a in arrays] for arrays in (got, expected))
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape, f"{what}: shape {g.shape}, expected {e.shape}{program!r}"
    scale = max((float(abs(e).max()) for e in expected if e.size), default=0.0)
    off = max((float(abs(g - e).max()) for g, e in zip(got, expected) if e.size), default=0.0)
    allowed = rtol * scale
    if not off <= allowed and noise is not None:
        allowed += 100 * noise()
    if not off <= allowed:
        rows = "\n".join(f"  {name}: got {g.tolist()}\n  {' ' * len(name)}  exp {e.tolist()}"
                         for name, g, e in zip(program.leaves, got, expected))
        raise AssertionError(f"{what}: off by {off:.3g} at scale {scale:.3g}, allowed {allowed:.3g}\n{rows}{program!r}")


def wobble(program, compute):
    """Return how far a result moves when the leaves are changed in their last bit (ties would be undone)."""
    base, moves = compute(program.leaves), [1e-15 * max(1.0, *(float(abs(v).max()) for v in program.values.values()))]
    for seed in range(0 if program.ties else 3):
        rng = np.random.default_rng(seed)
        near = {name: np.asarray(a * (1 + 2 * np.finfo(a.dtype).eps * rng.choice([-1, 1], a.shape).astype(a.dtype)))
                for name, a in program.leaves.items()}
        moves += [float(abs(np.asarray(m) - b).max()) for m, b in zip(compute(near), base)]
    return max(moves)


# ---------------------------------------------------------------------------------- the properties

def check_values(program):
    """Tensors make of the program what arrays do, in value, shape and dtype, and leave the leaves alone."""
    leaves = tensors(program)
    values = program.run(leaves, TENSORS)
    coarsest = max(float(np.finfo(v.dtype).eps) for v in program.values.values())
    for name, expected in program.values.items():
        got = values[name].data
        assert got.dtype == expected.dtype, f"{name} of tensors: {got.dtype}, not {expected.dtype}{program!r}"
        agree(program, f"{name} of tensors", [got], [expected], 4000 * coarsest,
              lambda name=name: wobble(program, lambda arrays: [program.run(arrays)[name]]))
    gs = mg.grad(program.loss(values, TENSORS), list(leaves.values()), allow_unused=True)
    for (name, x), g in zip(leaves.items(), gs, strict=True):
        np.testing.assert_array_equal(x.data, program.leaves[name], err_msg=f"{name} was changed{program!r}")
        assert g is None or (g.shape, g.dtype) == (x.shape, x.dtype), f"gradient of {name}: {g.dtype}{program!r}"


def check_first_order(program):
    """<gradient, u> is the slope of the loss along u, by central differences."""
    us = directions(program)
    gs = gradient(program, tensors(program))
    slope_agrees(program, sum(float((g.data * u).sum()) for g, u in zip(gs, us)), us)


def slope_agrees(program, got, us):
    against_differences(program, "gradient", [np.array(got)], us, lambda leaves: [
        program.loss(program.run(leaves, ARRAYS, program.values))])


def check_second_order(program):
    """The Hessian times u is the change of the gradient along u, by central differences."""
    us = directions(program)
    got = curvature(program, tensors(program), us)
    against_differences(program, "Hessian-vector product", got, us, lambda leaves: [
        g.data for g in gradient(program, tensors(program, leaves), held=program.values)])


def against_differences(program, what, got, us, f):
    """Compare with central differences of order 4; of several steps the two that agree best tell value and error."""
    def moved(h):
        return [np.asarray(a) for a in f({n: np.asarray(a + h * u) for (n, a), u in zip(program.leaves.items(), us)})]

    found, best = [], (np.inf, None)
    for step in STEPS:
        with np.errstate(all="ignore"):             # a step may leave a domain; then it does not agree
            near = [p - m for p, m in zip(moved(step), moved(-step))]
            far = [p - m for p, m in zip(moved(2 * step), moved(-2 * step))]
        found.append([(8 * a - b) / (12 * step) for a, b in zip(near, far)])
        if len(found) > 1:
            error = max(float(abs(a - b).max()) for a, b in zip(found[-1], found[-2]))
            best = min(best, (error, found[-1]), key=lambda pair: pair[0])
            if error <= 1e-7 * max(float(abs(a).max()) for a in found[-1]):
                break
    error, expected = best
    scale = max(float(abs(a).max()) for a in got)
    if error > 1e-3 * scale + 1e-6:
        return                                      # too rough a place for differences; PyTorch is asked as well
    agree(program, f"{what} against differences", got, expected, 1e-6, lambda: 0.1 * error + 1e-10)


STEPS = (1e-3, 2e-4, 3e-5, 5e-6)


def check_bookkeeping(program):
    """Twice gives the same, losses add up, create_graph changes no number."""
    leaves = tensors(program)
    xs = list(leaves.values())
    values = program.run(leaves, TENSORS)
    loss = program.loss(values, TENSORS)

    def grads(loss, **options):
        if not loss.requires_grad:
            return [np.zeros(x.shape) for x in xs]
        return [g.data for g in filled(mg.grad(loss, xs, allow_unused=True, **options), leaves)]

    first = grads(loss, retain_graph=True)
    for g, again in zip(first, grads(loss, retain_graph=True)):
        np.testing.assert_array_equal(again, g, err_msg=f"the second time differs{program!r}")
    names = list(program.terms)
    halves = [program.loss(values, TENSORS, half) for half in (names[::2], names[1::2]) if half]
    parts = [grads(half, retain_graph=True) for half in halves]

    def noise():
        return wobble(program, lambda arrays: [g.data for g in gradient(program, tensors(program, arrays))])

    agree(program, "gradients of two losses", [sum(gs) for gs in zip(*parts)], first, 1e-12, noise)
    agree(program, "gradient with create_graph", grads(loss, create_graph=True), first, 1e-11, noise)
    reused = tensors(program)
    with spoiling_constants():
        loss_of_lost = program.loss(program.run(reused, TENSORS), TENSORS)
    agree(program, "gradient after the arrays beside the tensors were overwritten",
          [g.data for g in filled(mg.grad(loss_of_lost, list(reused.values()), allow_unused=True), reused)], first, 0)
    loss.backward()
    agree(program, "backward and grad", [np.zeros(x.shape) if x.grad is None else x.grad.data for x in xs], first, 0)


@contextlib.contextmanager
def spoiling_constants():
    """Overwrite, at the end, all arrays that the text of a program has made: users fill one batch after another."""
    made, kept = [], {name: TENSORS.names[name] for name in HELPERS}

    def remembering(helper):
        def make(*args, **kwargs):
            made.append(helper(*args, **kwargs))
            return made[-1]
        return make

    TENSORS.names.update({name: remembering(helper) for name, helper in HELPERS.items()})
    try:
        yield
    finally:
        TENSORS.names.update(kept)
    for array in made:
        array[...] = 0


def torch_numbers(program, arrays, us, orders=(0, 1, 2)):
    """Return PyTorch's values, gradients and Hessian-vector product."""
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    xs = list(leaves.values())
    values = program.run(leaves, TORCH)
    loss = program.loss(values, TORCH)
    gs = torch.autograd.grad(loss, xs, create_graph=True, allow_unused=True, materialize_grads=True)
    slope = sum((g * torch.as_tensor(u)).sum() for g, u in zip(gs, us, strict=True))
    hs = torch.autograd.grad(slope, xs, allow_unused=True, materialize_grads=True) if slope.requires_grad else [
        torch.zeros_like(x) for x in xs]
    return tuple([plain(a) for a in found] for found in (values.values(), gs, hs))


def plain(a):
    """Return a tensor of PyTorch as an array; of its zeros without memory a part cannot be one, and crashes."""
    return torch.empty(a.shape, dtype=a.dtype).copy_(a.detach()).numpy()


def check_torch(program, second=True):
    """Values, gradient and Hessian-vector product are PyTorch's."""
    us = directions(program)
    values, gs, hs = torch_numbers(program, program.leaves, us)
    leaves = tensors(program)
    got = [v.data for v in program.run(leaves, TENSORS).values()]
    for name, g, e in zip(program.values, got, values, strict=True):
        agree(program, f"{name} in PyTorch", [g], [e], 1e-10, lambda name=name: wobble(program, lambda arrays: [
            program.run(arrays)[name]]))
    noise = [lambda order=order: wobble(program, lambda arrays: torch_numbers(program, arrays, us)[order])
             for order in (0, 1, 2)]
    agree(program, "gradient in PyTorch", [g.data for g in gradient(program, leaves)], gs, 1e-9, noise[1])
    if second:
        agree(program, "Hessian-vector product in PyTorch", curvature(program, leaves, us), hs, 1e-9, noise[2])


def check_dtypes(program):
    """Gradients have their leaf's dtype, and the values of the same program in float64, as far as float32 goes."""
    wide = {name: a.astype(float) for name, a in program.leaves.items()}
    leaves = tensors(program)
    narrow = gradient(program, leaves)
    for x, g in zip(leaves.values(), narrow):
        assert g.dtype == x.dtype
    expected = [g.data for g in gradient(program, tensors(program, wide))]
    again = {name: a * (1 + 1e-7 * np.random.default_rng(0).choice([-1, 1], a.shape)) for name, a in wide.items()}

    def noise():
        near = gradient(program, tensors(program, again))
        return max(1e-9, *(float(abs(g.data - e).max()) for g, e in zip(near, expected)))

    agree(program, "gradient in float32", [g.data for g in narrow], expected, 1e-4, noise)
