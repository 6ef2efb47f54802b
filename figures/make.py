"""Make every figure of the README: ``python figures/make.py``."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")       # BLAS reads it when NumPy is loaded

from pathlib import Path

from minigrad import plot
from minigrad.experiments import char_rnn

FIGURES = {"char_rnn.png": lambda: char_rnn.figure(char_rnn.run(char_rnn.Config()))}


def main():
    """Write all figures beside this file."""
    for name, make in FIGURES.items():
        path = Path(__file__).parent / name
        plot.save(make(), path)
        print(path)


if __name__ == "__main__":
    main()
