"""``minigrad tutorials``: the notebooks of the course, listed and copied."""

import shlex
from pathlib import Path

from minigrad.commands.common import Refusal


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "tutorials", help="the notebooks of the course: list them, copy them to a folder of yours",
        description="List the tutorials, or copy them to a folder in which you work. What you have written is safe:\n"
                    "a notebook that is there and differs is never written over, unless --force is given.",
        epilog="examples:\n  minigrad tutorials\n  minigrad tutorials --copy course\n"
               "  minigrad tutorials --copy course 00 05 --lang zh --solutions")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("numbers", metavar="NN", nargs="*", help="these tutorials only, e.g. 00 05 (default: all)")
    add("--list", action="store_true", help="list number, title and goal (the default)")
    add("--copy", metavar="DIR", help="copy the notebooks to this folder; it is made if need be")
    add("--lang", choices=("en", "zh"), default="en", help="English or Chinese (%(default)s)")
    add("--solutions", action="store_true", help="with --copy: also the worked solutions, to DIR/solutions")
    add("--force", action="store_true", help="with --copy: write over notebooks that differ")


def run(args):
    """List or copy; return the exit status."""
    from minigrad.course import places

    if args.copy == "":
        raise Refusal("--copy needs the name of a folder; this one is .")
    if args.copy is None and (args.solutions or args.force):
        raise Refusal(f"{'--solutions' if args.solutions else '--force'} goes with --copy DIR")
    try:
        shown = chosen(places.tutorials(args.lang), args.numbers)
        if args.copy is not None:
            return copy(args, [tutorial.number for tutorial in shown])
    except FileNotFoundError as error:
        raise Refusal(error.strerror or str(error)) from None
    print("\n".join(table(shown)))
    if not args.list:
        extra = "" if args.lang == "en" else " --lang zh"
        print(f"\nminigrad tutorials --copy course{extra}    copies them to the folder course, to work in")
    return 0


def chosen(found, numbers):
    """Return the tutorials of these numbers, all if there are none."""
    if not numbers:
        return found
    wanted = {number.zfill(2): number for number in numbers}
    unknown = [shown for number, shown in wanted.items() if number not in {t.number for t in found}]
    if unknown:
        raise Refusal(f"there is no tutorial {unknown[0]}; there are {', '.join(t.number for t in found)}")
    return [tutorial for tutorial in found if tutorial.number in wanted]


def table(found):
    """Return the list as lines: number, title and time, and below them the goal."""
    lines = []
    for tutorial in found:
        lines.append(f"{tutorial.number}  {tutorial.title}" + (f"  ({tutorial.time})" if tutorial.time else ""))
        if tutorial.goal:
            lines.append(f"    {tutorial.goal}")
    return lines


def copy(args, numbers):
    """Copy notebooks to a folder; return the exit status."""
    from minigrad import files
    from minigrad.course import places

    folder = Path(args.copy)
    both = (False, True) if args.solutions else (False,)
    pairs = [(path, folder / ("solutions" if solutions else "") / path.name)
             for solutions in both for number, path in places.notebooks(args.lang, solutions).items()
             if number in numbers]
    try:
        new = [(source, target) for source, target in pairs if differs(source, target)]
        mine = [target for _, target in new if target.exists()]
        if mine and not args.force:
            others = f" ({len(mine)} such notebooks)" if len(mine) > 1 else ""
            raise Refusal(f"{mine[0]} is there and differs{others}; nothing was copied: "
                          "name another folder, or write over what is there by --force")
        for place in dict.fromkeys(target.parent for _, target in pairs):
            place.mkdir(parents=True, exist_ok=True)
        for source, target in new:
            with files.whole(target, "wb") as file:
                file.write(source.read_bytes())
    except OSError as error:
        place = Path(error.filename or folder)
        place = place.parent if place.suffix == ".part" else place          # the unfinished file of files.whole
        what = "is a file" if isinstance(error, FileExistsError) and place.is_file() else error.strerror
        raise Refusal(f"--copy {folder} cannot be written ({place}: {what}); name another folder") from None
    same = len(pairs) - len(new)
    print(f"{len(new)} notebook{'s' if len(new) != 1 else ''} copied to {folder}"
          + (f", {same} there already" if same else "") + ".")
    if pairs:
        print("\n".join(next_steps(folder, pairs[0][1])))
    return 0


def differs(source, target):
    """Whether a file is not what the course has; a file that is not there differs."""
    return not target.exists() or source.read_bytes() != target.read_bytes()


def next_steps(folder, first):
    """Return as lines what to type next."""
    from importlib.util import find_spec

    steps = [] if find_spec("jupyterlab") else [('python -m pip install "minigrad-lab[notebook]"', "Jupyter, once")]
    steps += [(f"jupyter lab {shlex.quote(str(folder))}", "opens them"),
              (f"minigrad check {shlex.quote(str(first))}", "marks your exercises")]
    width = max(len(command) for command, _ in steps)
    return [f"  {command:<{width}}    {what}" for command, what in steps]
