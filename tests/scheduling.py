"""What the tests of schedules share: an optimizer that can always step, and a run of both."""

from optimizing import param

from minigrad import optim


def optimizer(*groups, **kwargs):
    """SGD with one parameter per group, each with a gradient, and these learning rates."""
    params = [{"params": [param([1.0])], "lr": lr} for lr in groups or (0.8,)]
    for group in params:
        group["params"][0].grad = [0.0]
    return optim.SGD(params, lr=0.5, **kwargs)


def run(opt, schedule, steps=12):
    """Step both and return the learning rates that the steps had."""
    rates = []
    for _ in range(steps):
        rates.append(opt.step().lr)
        schedule.step()
    return rates
