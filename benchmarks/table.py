"""What becomes of the records: lines on the screen, results.json, and the table in the README."""

import json

from benchmarks.work import AUTOGRAD, HAND, JAX, MYGRAD, TORCH, in_column

COLUMNS = (HAND, TORCH, JAX, AUTOGRAD, MYGRAD)
BEGIN, END = "<!-- benchmarks: written by `python -m benchmarks --write` -->", "<!-- end of benchmarks -->"

# ------------------------------------------------------------------------------------------------------- the screen

HEAD = f"{'work':<72} {'dtype':<8} {'minigrad':>9}  {'against':<22} {'takes':>9}  {'ratio':>6} {'limit':>6}"


def lines(record):
    """Return the lines of one work: a comparison a line, with the limit, and ``over`` where it is not kept."""
    found = []
    for name, other in record["against"].items():
        limit = "" if other["limit"] is None else f"{other['limit']:.4g}"
        verdict = {None: "", True: "  ok", False: "  over"}[other["ok"]]
        head = (f"{record['title'] + ', ' + record['unit']:<72} {record['dtype']:<8} {record['minigrad']:>9.4g}"
                if not found else f"{'':<91}")
        found.append(f"{head}  {name:<22} {other['value']:>9.4g}  {other['ratio']:>6.3g} {limit:>6}{verdict}".rstrip())
    return found


def summary(results):
    """Return one line: how many limits there are, and which works are over one."""
    judged = [(record, name) for record in results["works"] for name, other in record["against"].items()
              if other["ok"] is not None]
    over = [f"{record['name']} / {name}" for record, name in judged if not record["against"][name]["ok"]]
    kept = f"{len(judged) - len(over)} of {len(judged)} limits are kept"
    return kept + (f"; over: {', '.join(over)}" if over else "")

# ---------------------------------------------------------------------------------------------------- results.json


def merged(old, new, order):
    """Return new results with the works of the old ones that were not measured again, in the order of the table.

    Raises:
        ValueError: if the two were measured with different versions or on different kinds of machine.
    """
    if old is None:
        return new
    measured = {record["name"] for record in new["works"]}
    kept = [record for record in old["works"] if record["name"] not in measured and record["name"] in order]
    if kept and any(old[key] != new[key] for key in ("versions", "machine")):
        raise ValueError("results.json was measured with other versions, or on another machine; run all works")
    works = sorted(kept + new["works"], key=lambda record: order.index(record["name"]))
    return {**new, "works": works}


def as_json(results):
    """Return the text of results.json."""
    return json.dumps(results, indent=1, ensure_ascii=False) + "\n"

# ---------------------------------------------------------------------------------------------------------- README


def markdown(results):
    """Return the table of the README: a work a row, float64 and float32 side by side, limits in brackets."""
    versions = results["versions"]
    packages = {TORCH: "torch", JAX: "jax", AUTOGRAD: "autograd", MYGRAD: "mygrad"}
    heads = [f"/ {name} {'.'.join(versions.get(packages.get(name), '').split('.')[:2])}".rstrip() for name in COLUMNS]
    rows = [f"| work | minigrad | {' | '.join(heads)} |", "|---|--:|" + "--:|" * len(COLUMNS)]
    titles = list(dict.fromkeys(record["title"] for record in results["works"]))
    for title in titles:
        records = sorted((r for r in results["works"] if r["title"] == title), key=lambda r: r["dtype"] != "float64")
        cells = [cell(records, name) for name in COLUMNS]
        if not any(cells):
            continue                                            # judged by something else than another library
        dtypes = "" if len(records) > 1 else f", {records[0]['dtype']}"
        own = " · ".join(f"{r['minigrad']:.3g}" for r in records)
        rows.append(f"| {title}{dtypes} | {own} {records[0]['unit']} | {' | '.join(cells)} |")
    return "\n".join([*rows, "", *(f"- {line}" for line in others(results)), "", machine_line(results)])


def cell(records, column):
    """Return the ratios of one row and column, the ones over their limit in bold, and the limit; then what they are."""
    parts = []
    for name in dict.fromkeys(name for r in records for name in r["against"] if in_column(name) == column):
        found = [r["against"][name] for r in records if name in r["against"]]
        limits = {other["limit"] for other in found} - {None}
        numbers = " · ".join(f"**{shown(o['ratio'])}**" if o["ok"] is False else shown(o["ratio"]) for o in found)
        kind = name.removeprefix(column).removeprefix(",").strip()
        parts.append(numbers + "".join(f" (≤ {limit:g})" for limit in limits) + (f" {kind}" if kind else ""))
    return ", ".join(parts)


def shown(ratio):
    """Return a ratio with two digits behind the point, or two significant ones if it is small, three if it is large."""
    return f"{ratio:.3g}" if ratio >= 10 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def others(results):
    """Return a sentence for each work that is measured against itself: how cost grows with depth, and the import."""
    found = []
    for record in results["works"]:
        if set(map(in_column, record["against"])) & set(COLUMNS):
            continue
        for name, other in record["against"].items():
            ratio = f"{shown(other['ratio'])} times that of {name}"
            ratio = f"{other['value']:.3g} are allowed" if name == "allowed" else ratio
            ratio = f"**{ratio}**" if other["ok"] is False else ratio
            limit = f" (≤ {other['limit']:g})" if name != "allowed" and other["limit"] else ""
            found.append(f"{record['title']}: {record['minigrad']:.3g} {record['unit'].split()[0]}, {ratio}{limit}")
    return found


def machine_line(results):
    """Return one line on what was measured with."""
    machine, versions = results["machine"], results["versions"]
    return (f"{machine['processor']}, {machine['system']}, Python {versions['python']}, NumPy {versions['numpy']}, "
            f"{machine['blas']}.")


def rewritten(readme, text):
    """Return the README with the text between its two marks replaced.

    Raises:
        ValueError: if the marks are not there, once each, in this order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"the README must have the lines {BEGIN!r} and {END!r}, once each, in this order")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"
