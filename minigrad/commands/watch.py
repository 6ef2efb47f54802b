"""``minigrad watch``: a live picture in the terminal of a trace that is still being written."""

import os
import shutil
import sys
import time

import numpy as np

from minigrad.commands.common import Refusal, add_reading, positive, reading, refusals, whole_number
from minigrad.commands.screen import Look, Shown, frame
from minigrad.trace.report import share, short
from minigrad.trace.series import series

NEEDED = "⣿┤│└┄×█"
"""What the terminal's encoding must have for Braille patterns and blocks."""

HIDE, SHOW, CLEAR_LINE, CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[K", "\x1b[J"


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "watch", help="a live picture in the terminal of a trace that is still being written",
        description="Draw the gradient norm in the terminal, and again whenever the file has grown,\n"
                    "until Ctrl-C. Where many steps share a column, the smallest and the largest norm\n"
                    "are dots, and the middle half of them is filled. 0, inf and NaN have lanes of\n"
                    "their own. Into a pipe or a file, one picture follows the other.",
        epilog="examples:\n  minigrad watch run/trace.csv --wait\n  minigrad watch train.log --last 500 --threshold 1\n"
               "  minigrad watch trace.csv --once > picture.txt\n\n"
               "A run of minigrad is seen while it trains with NormTrace(stream=\"run/trace.csv\").")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("file", metavar="FILE", help="a trace, or a log, that grows")
    add("--interval", type=positive, default=1.0, metavar="SECONDS", help="how often to look (%(default)g)")
    add("--once", action="store_true", help="draw what is there, once, and leave")
    add("--wait", action="store_true", help="wait for a file that is not there yet, or has no norm in it yet")
    add("--last", type=whole_number, metavar="N", help="show the last N steps only")
    add("--threshold", type=positive, metavar="C", help="draw this threshold, where the file has none")
    add("--ascii", action="store_true", help="draw in ASCII, also where the terminal has Braille patterns")
    add_reading(parser)


def run(args):
    """Draw until the user leaves by Ctrl-C, which is the ordinary way out; return the exit status."""
    with refusals(args.file):
        followed = Followed(args.file, reading(args), args.wait)
    screen = Screen(sys.stdout, args.ascii)
    try:
        while True:
            begun = time.monotonic()
            with refusals(args.file):
                changed = followed.look()
            if changed or screen.resized():
                look = screen.look()
                if followed.trace is not None:
                    foot = "" if args.once or not screen.live else "Ctrl-C leaves"
                    screen.draw(frame(shown(followed.trace, args, followed.source), look, foot))
                elif screen.live:
                    screen.draw([f"waiting for {'a norm in ' * os.path.exists(args.file)}{args.file}"[:look.width]])
            if args.once and followed.trace is not None:
                return 0
            # What takes long, a million steps, is not done all the time.
            time.sleep(max(args.interval, 2 * (time.monotonic() - begun)))
    except KeyboardInterrupt:
        return 0
    finally:
        screen.leave()


# ---------------------------------------------------------------------------------------- the file

class Followed:
    """A trace in a file that grows.

    Args:
        path: the file.
        wanted: keywords for the reader.
        wait: whether a file that is missing, or without a norm, is no error as long as it has never had one.

    Attributes:
        trace: all rows so far, None before the first.
    """

    def __init__(self, path, wanted, wait=False):
        from minigrad.trace.readers import Follower

        self.path, self.wanted, self.wait = path, wanted, wait
        self.follower = Follower(path, **wanted)
        self.trace, self.restarts, self.stamp = None, 0, None
        self.waiting = False

    @property
    def source(self):
        """What is known of how the file was read."""
        return self.trace.source if self.follower is None else self.follower.source

    def look(self):
        """Take in what is new; return whether there is anything else to be seen than before.

        Raises:
            OSError, ValueError: if the file cannot be read, unless it is waited for.
        """
        try:
            return self.read_on() if self.follower is not None else self.read_anew()
        except FileNotFoundError:
            if not self.wait or self.trace is not None:
                raise
        if self.waiting:
            return False
        self.waiting = True
        return True

    def read_on(self):
        """Read the lines that have come."""
        try:
            fresh = self.follower.poll()
        except ValueError as error:
            if self.is_written_anew():
                return self.read_anew()
            raise error from None
        if self.follower.restarts != self.restarts:
            self.restarts, self.trace = self.follower.restarts, None
        if len(fresh):
            self.waiting = False
            if self.trace is None:
                self.trace = fresh
            else:
                self.trace.extend(fresh.rows)
            return True
        return self.trace is None and self.nothing_yet()

    def nothing_yet(self):
        """Note, or say, that the file has no complete line with a norm; or find that it has other ones."""
        from minigrad.trace import readers

        if self.is_written_anew():
            return self.read_anew()
        if self.waiting:
            return False
        if not self.wait and not self.restarts:
            readers.read(self.path, **self.wanted)                       # says what is wrong with it
            raise Refusal(f"{self.path} has no complete line with a norm yet; --wait waits for one")
        self.waiting = True
        return True

    def is_written_anew(self):
        """Return whether the file is complete and does not grow by lines, as JSON documents and NPZ do not."""
        from minigrad.trace import readers

        try:
            source = readers.read(self.path, **self.wanted).source
        except (OSError, ValueError):
            return False
        if source.unit == "line" and source.layout != "minigrad-npz":
            return False
        self.follower = None
        return True

    def read_anew(self):
        """Read the whole file, if it has changed; one that is just being written is left for the next time."""
        from minigrad.trace import readers

        found = os.stat(self.path)
        stamp = found.st_mtime_ns, found.st_size
        if stamp == self.stamp:
            return False
        try:
            trace = readers.read(self.path, **self.wanted)
        except ValueError:
            if self.trace is None:
                raise
            return False
        self.trace, self.stamp = trace, stamp
        return True


def shown(trace, args, source=None):
    """Return what is to be seen of a trace: :class:`~minigrad.commands.screen.Shown`.

    It is the series that the summary and the pictures show.
    """
    s = series(trace)
    if not s.calls.size:
        raise Refusal(f"{args.file} has no norm in it")
    before, after = s.before, s.after if s.acts else np.full(len(s.before), np.nan)
    threshold, clipped = s.threshold, np.where(s.reached, s.coefficient < 1, np.nan)
    if not s.clips:
        threshold, clipped = np.full((2, len(before)), np.nan)
        if args.threshold is not None:
            threshold[:], clipped[:] = args.threshold, before > args.threshold
    acted = "clipped" if s.clips else "above"
    calls = np.searchsorted(trace.calls(stage=0), s.calls)
    losses = trace.column("loss", stage=0)
    losses[trace.given("loss", stage=0) & ~np.isfinite(losses)] = np.inf
    losses = losses[calls]
    kept = slice(None if args.last is None else -args.last, None)
    before, after, threshold, clipped, losses, steps = (
        values[kept] for values in (before, after, threshold, clipped, losses, s.steps))
    facts = [os.path.basename(args.file), f"step {steps[-1]}", f"norm {short(float(before[-1]))}"]
    facts += [f"{name} {short(float(values[-1]))}"
              for name, values in (("after", after), ("threshold", threshold)) if not np.isnan(values).all()]
    if not np.isnan(clipped).all():
        facts.append(f"{acted} {share(float(np.nanmean(clipped)))}")
    for name in ("loss", "lr"):
        values = trace.column(name, stage=0)[trace.given(name, stage=0)]
        if values.size:
            facts.append(f"{name} {short(float(values[-1]))}")
    bad = int((~np.isfinite(before)).sum())
    if bad:
        facts.append(f"not finite {bad}")
    if source is not None and source.negative:
        facts.append(source.negative.partition(" (")[0])
    return Shown(steps, before, after, threshold, clipped, losses, facts, acted)


# ------------------------------------------------------------------------------------ the terminal

class Screen:
    """Where pictures are drawn: over each other in a terminal, after each other anywhere else.

    Args:
        out: a text file.
        ascii: use ASCII alone.
    """

    def __init__(self, out, ascii=False):
        self.out, self.live = out, out.isatty() and os.environ.get("TERM") != "dumb"
        self.unicode = not ascii and can_encode(out, NEEDED)
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.drawn, self.size, self.hidden = 0, None, False
        if self.live and os.name == "nt":
            os.system("")                       # switches the codes on, in consoles before Windows 11

    def look(self):
        """Return what the terminal can show now: a :class:`~minigrad.commands.screen.Look`."""
        self.size = shutil.get_terminal_size()
        return Look(self.size.columns, self.size.lines, self.unicode, self.colour)

    def resized(self):
        """Return whether the terminal has another size than when the last picture was drawn."""
        return self.live and self.size is not None and shutil.get_terminal_size() != self.size

    def draw(self, lines):
        """Draw some lines, over those that were drawn before."""
        if not self.live:
            self.out.write("\n" * (self.drawn > 0) + "\n".join(lines) + "\n")
        else:
            up = f"\x1b[{self.drawn}A\r" if self.drawn else HIDE
            self.hidden = True                  # before it is: Ctrl-C may come at any time
            self.out.write(up + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW)
        self.out.flush()
        self.drawn = len(lines)

    def leave(self):
        """Give the terminal back: the last picture stays, the cursor is below it."""
        if self.hidden:
            self.out.write(f"\r{CLEAR_LINE}{SHOW}")
            self.out.flush()


def can_encode(out, text):
    """Return whether an output's encoding has these characters."""
    try:
        text.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
