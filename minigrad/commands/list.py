"""``minigrad list``: the experiments there are."""

from minigrad.commands.running import aligned, find, full, settings_lines


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "list", help="the experiments: what each asks, and how long it takes",
        description="List the experiments, with the question that each answers and the time it takes;\n"
                    "or say all about one: what it does, its settings, what is expected.",
        epilog="examples:\n  minigrad list\n  minigrad list cliff")
    parser.set_defaults(run=run)
    parser.add_argument("name", nargs="?", metavar="NAME", help="say all about this experiment")


def run(args):
    """Print the list, or one experiment; return the exit status."""
    print("\n".join(everything() if args.name is None else one(args.name)))
    return 0


def everything():
    """Return all experiments as lines."""
    from minigrad import experiments

    rows = [("NAME", "TIME", "QUESTION")]
    rows += [(name, f"{module.SECONDS:g} s", module.QUESTION)
             for name, module in ((name, experiments.find(name)) for name in experiments.EXPERIMENTS)]
    return [*aligned(rows, right=(1,)), "",
            "minigrad list NAME says all about one; minigrad run NAME runs it. Times are for one core, about."]


def one(name):
    """Return all about an experiment as lines."""
    import inspect

    module = find(name)
    lines = [f"{name}: {module.QUESTION}", "", inspect.cleandoc(module.__doc__), "",
             *settings_lines(module.Config()), ""]
    larger = [f"{setting}={value}" for (setting, value, _, _), (_, default, _, _) in
              zip(full(module).described(), module.Config().described()) if value != default]
    if larger:
        lines.append(f"--full is {', '.join(larger)}.")
    expected = [("number", "expected", "tolerance", "where from")]
    expected += [(e.name, f"{e.value:.6g}", e.margin, e.source) for e in module.EXPECTED]
    return [*lines, f"Takes about {module.SECONDS:g} s on one core. What is expected:", "", *aligned(expected, (1,))]
