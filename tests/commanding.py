"""What the tests of the command line share: calling it, and files to call it on."""

import math

import numpy as np

import minigrad as mg
from minigrad import cli, hooks, optim

INF, NAN = math.inf, math.nan


def call(*argv):
    """Run the command line in this process; return its exit status."""
    try:
        return cli.main([str(a) for a in argv])
    except SystemExit as leaving:
        return leaving.code


def refusal(capsys, *argv):
    """Run a command that is to be refused, and return its one line."""
    assert call(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert err.startswith(f"minigrad {argv[0]}: ")
    return err[len(f"minigrad {argv[0]}: "):-1]


def own_trace(steps=150, clip=3.0):
    """A trace of minigrad's own, per parameter, with a spike in "a" at step 70, an inf at 20 and a NaN at 110."""
    rng = np.random.default_rng(0)
    a, b = mg.tensor(np.ones(4), requires_grad=True), mg.tensor([1.0], requires_grad=True)
    trace = mg.NormTrace(per_parameter=True)
    opt = optim.SGD([("one.a", a), ("two.b", b)], lr=1e-9, trace=trace,
                    hooks=[hooks.NonFinite("propagate"), hooks.ClipNorm(clip)])
    with np.errstate(all="ignore"):
        for k in range(steps):
            a.data, b.data = np.ones(4), np.ones(1)
            a.grad = rng.normal(size=4) * (1e4 if k == 70 else 1)
            b.grad = {20: [INF], 110: [NAN]}.get(k, rng.normal(size=1))
            opt.step(loss=5 * math.exp(-k / 50))
    return trace


def log_lines(steps=150, seed=1):
    """A text log of a training elsewhere."""
    values = np.exp(np.random.default_rng(seed).normal(size=steps))
    return "".join(f"step {k} loss {5 / (k + 1):.3f} grad_norm: {v:.5g}\n" for k, v in enumerate(values))


def chart_lines():
    """The CSV of a chart with two runs."""
    rows = "".join(f'"{k}","{1 + k % 3}","","","{2 + k % 5}","",""\n' for k in range(120))
    names = ",".join(f'"{run} - grad_norm{end}"' for run in ("red", "blue") for end in ("", "__MIN", "__MAX"))
    return f'"Step",{names}\n{rows}'


def files(folder):
    """Write one file of each kind into a folder; return their names."""
    own_trace().save(folder / "own.csv")
    (folder / "train.log").write_text(log_lines())
    (folder / "chart.csv").write_text(chart_lines())
    (folder / "damaged.csv").write_text("step,grad_norm\n0,1.0\n1,abc\n2,3.0\n3\n")
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("step,grad_norm\n")
    (folder / "prose.txt").write_text("It was a dark and stormy night;\nthe rain fell in torrents.\n" * 9)
    (folder / "other.csv").write_text("time,apples,pears\n" + "".join(f"{k},{k % 3},2\n" for k in range(30)))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "folder").mkdir()
    return sorted(p.name for p in folder.iterdir())
