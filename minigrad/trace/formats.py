"""Traces as files: CSV, JSON Lines and NPZ, all of them lossless to the bit."""

import os
import struct

import numpy as np

from minigrad.files import whole as whole_file
from minigrad.trace.columns import BLOCK, KINDS, NO_COUNT, NO_NUMBER, Columns, Texts, Wholes
from minigrad.trace.row import TEXT, Row

ENDINGS = (".csv", ".jsonl", ".npz")
COLUMNS = Row._fields
OLDER = COLUMNS[:COLUMNS.index("data")]
"""The columns of files written before there was ``data``."""

ODD = {text: f'"{text}"' for text in ("nan", "inf", "-inf")}
"""How JSON, which has no such numbers, spells them."""


def ending(path, endings=ENDINGS):
    """Return the ending of a path, or refuse it."""
    found = os.path.splitext(path)[1].lower()
    if found not in endings:
        raise ValueError(f"{path}: a trace is a file {', '.join(endings[:-1])} or {endings[-1]}, not "
                         f"{found or 'without an ending'}")
    return found


def save(table, path):
    """Write a table as the ending of the path says; the file appears whole or not at all."""
    kind = ending(path)
    with whole_file(path, "wb") as file:
        if kind == ".npz":
            save_npz(table, file)
            return
        lines, head = (csv_lines, HEADER) if kind == ".csv" else (json_lines, b"")
        file.write(head)
        for start in range(0, len(table), BLOCK):
            file.write(lines(table, slice(start, start + BLOCK)))


def load(path, whole=True):
    """Return (Columns, which line was cut short or None) of a file; see :meth:`NormTrace.load`."""
    if ending(path) == ".npz":
        return load_npz(path), None
    table, cut, _, _ = parse(path)
    if cut and whole:
        raise ValueError(f"{path}, line {cut}: the file is cut short here; NormTrace.load(path, whole=False) reads the "
                         f"{len(table)} rows before it")
    return table, cut


def parse(path):
    """Return what is finished of a .csv or .jsonl file.

    Returns:
        ``(table, cut, end, names)``: the Columns; None, or the line that was cut short; where it begins, in bytes;
        and which columns the file has.
    """
    read, finished = (read_csv, finished_csv) if ending(path) == ".csv" else (read_json, finished_json)
    with open(path, "rb") as file:
        content = file.read()
    end = finished(content)
    # Where not one line is whole, its beginning should say what it is.
    table, lines, names = read(path, content[:end] or content)
    return table, None if end == len(content) else 1 + (lines if end else 0), end, names


def as_cells(column, coded, form):
    """Return ``form`` of kept values, numbers as texts in their shortest form that reads back to the same bits."""
    if isinstance(column, Texts):
        cells = list(map(form, column.names))
        return list(map(cells.__getitem__, coded.tolist()))
    distinct, place = np.unique(coded.view(np.int64), return_inverse=True)      # many numbers come again and again
    cells = [form("" if value is None else repr(value)) for value in column.values(distinct.view(coded.dtype))]
    return list(map(cells.__getitem__, place.tolist()))


SPELL = tuple(str if kind is Texts else (lambda v: str(int(v))) if kind is Wholes else (lambda v: repr(float(v)))
              for kind in KINDS.values())


def spelt(row):
    """Return one row as texts, "" for None, as :func:`as_cells` spells many: for a few rows, this is faster."""
    return ["" if value is None else spell(value) for spell, value in zip(SPELL, row, strict=True)]


# ----------------------------------------------------------------------------------------------- CSV

HEADER = f"{','.join(COLUMNS)}\n".encode()

CHUNK = 2 ** 20
"""So many bytes of CSV are looked at together."""


def csv_lines(table, index=slice(None)):
    """Return some rows of a table as lines of CSV, in UTF-8."""
    columns = [as_cells(column, column.array[index], quoted if isinstance(column, Texts) else str)
               for column in map(table.__getitem__, COLUMNS)]
    lines = "".join(f"{line}\n" for line in map(",".join, zip(*columns, strict=True)))
    return lines.encode("utf-8", "backslashreplace")


def csv_rows(rows):
    """Return a few rows as :func:`csv_lines` returns those of a table."""
    return "".join(f"{','.join(map(quoted, spelt(row)))}\n" for row in rows).encode("utf-8", "backslashreplace")


def quoted(text):
    """Return a text as a cell of CSV."""
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def finished_csv(content):
    """Return where the last finished line of some CSV ends: a line break in quotes ends no line."""
    quotes, end = content.count(b'"'), len(content)
    while end > 0:
        last = content.rfind(b"\n", 0, end)
        quotes -= content.count(b'"', last + 1, end)
        if quotes % 2 == 0:
            return last + 1
        end = last
    return 0


def read_csv(path, content):
    """Return the Columns of some CSV, how many lines it has, and which columns."""
    import csv

    limit = csv.field_size_limit(2 ** 31 - 1)           # a cell may be long: the norms of many time steps, say
    try:
        return parse_csv(path, content)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no trace: it is not a text file") from None
    except csv.Error as error:
        raise ValueError(f"{path} is no trace: {error}") from None
    finally:
        csv.field_size_limit(limit)


def parse_csv(path, content):
    start = content.find(b"\n") + 1 or len(content)
    header = tuple(content[:start].decode().rstrip("\r\n").split(","))
    if header not in (COLUMNS, OLDER):
        raise ValueError(f"{path} is no trace: its first line should be {','.join(COLUMNS)}, and is "
                         f"{','.join(header)[:200] or 'empty'}")
    table, lines = Columns(), 1
    while start < len(content):
        size, end = CHUNK, 0
        while not end:                                  # a cell may be longer than a chunk
            chunk = content[start:start + size]
            size, end = 2 * size, finished_csv(chunk)
        chunk = chunk[:end]
        try:
            cells = plain_cells(chunk, len(header)) or csv_cells(chunk, len(header))
            columns = {name: parsed(name, column) for name, column in zip(header, cells)}
            table.extend_by_column(columns | lacking(header, len(cells[0])))
        except (ValueError, OverflowError):
            raise first_fault(path, chunk, header, lines) from None
        lines += chunk.count(b"\n")
        start += end
    return table, lines, header


def plain_cells(chunk, width):
    """Return the cells of some finished lines by column, where there are no quotes, and each line has ``width``."""
    if b'"' in chunk or b"\r" in chunk:
        return None
    marks = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(marks == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(marks == ord(",")), ends)
    if (np.diff(commas, prepend=0) != width - 1).any():
        return None
    cells = chunk.decode().replace("\n", ",").split(",")
    return [cells[k:-1:width] for k in range(width)]


def csv_cells(chunk, width):
    """Return the cells of some finished lines by column, whatever is in them."""
    import csv
    import io

    rows = list(csv.reader(io.StringIO(chunk.decode(), newline="")))
    if any(len(row) != width for row in rows):
        raise ValueError("a row has more or fewer cells than the first line")
    return list(zip(*rows, strict=True))


def first_fault(path, chunk, header, before):
    """Return the error of the first row that is none, in some lines that come behind so many."""
    import csv
    import io

    reader = csv.reader(io.StringIO(chunk.decode(), newline=""))
    for cells in reader:
        try:
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} cells, and not {len(header)} as in the first line")
            Columns().extend_by_column({name: parsed(name, [cell]) for name, cell in zip(header, cells)}
                                       | lacking(header, 1))
        except (ValueError, OverflowError) as error:
            return ValueError(f"{path}, line {before + reader.line_num}: {error}")
    raise AssertionError("each row by itself is good, and all together are not")


def parsed(name, cells):
    """Return cells of CSV as the values of a column: of texts the very same, of numbers as they are kept.

    Raises:
        ValueError: for a cell that is no number.
    """
    kind = KINDS[name]
    if kind is Texts:
        return cells
    number, none = (int, NO_COUNT) if kind is Wholes else (float, NO_NUMBER)
    distinct = set(cells)
    if 2 * len(distinct) > len(cells) and "" not in distinct:
        return np.fromiter(map(number, cells), kind.dtype, len(cells))
    values = {cell: number(cell) if cell else none for cell in distinct}
    return np.fromiter(map(values.__getitem__, cells), kind.dtype, len(cells))


def lacking(header, size):
    """Return the columns that an older file lacks."""
    return {name: [None] * size for name in COLUMNS if name not in header}


# ---------------------------------------------------------------------------------------- JSON Lines

def json_lines(table, index=slice(None)):
    """Return some rows of a table as lines of JSON, in ASCII; what is not applicable is left out."""
    import json

    columns = []
    for name in COLUMNS:
        column = table[name]
        spell = json.dumps if isinstance(column, Texts) else lambda text: ODD.get(text, text)
        columns.append(as_cells(column, column.array[index], lambda text, name=name, spell=spell:
                                f', "{name}": {spell(text)}' if text else ""))
    return "".join(f"{{{line[2:]}}}\n" for line in map("".join, zip(*columns, strict=True))).encode()


def json_rows(rows):
    """Return a few rows as :func:`json_lines` returns those of a table."""
    import json

    lines = ([f'"{name}": {json.dumps(text) if name in TEXT else ODD.get(text, text)}'
              for name, text in zip(COLUMNS, spelt(row)) if text] for row in rows)
    return "".join(f"{{{', '.join(line)}}}\n" for line in lines).encode()


def finished_json(content):
    """Return where the last finished line ends."""
    return content.rfind(b"\n") + 1


def read_json(path, content):
    """Return the Columns of some JSON Lines, how many lines there are, and the columns that there may be."""
    import json

    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no trace: it is not a text file") from None
    if content and not content.startswith(b"{"):
        raise ValueError(f"{path} is no trace: its lines should be JSON objects, and the first is {lines[0]!r}"[:300])
    table = Columns()
    del lines[-1]                                       # behind the last line break
    for start in range(0, len(lines), BLOCK):
        block = lines[start:start + BLOCK]
        try:
            table.extend_by_column(from_objects(json.loads(f"[{','.join(block)}]"), len(block)))
        except (ValueError, OverflowError, RecursionError):
            for number, line in enumerate(block, start + 1):
                try:
                    Columns().extend_by_column(from_objects([json.loads(line)], 1))
                except (ValueError, OverflowError, RecursionError) as error:
                    raise ValueError(f"{path}, line {number}: {error}") from None
            raise
    return table, len(lines), COLUMNS


def from_objects(objects, count):
    """Return column -> values of some JSON objects, one a row; refuse what is none.

    Raises:
        ValueError: if it is no list of so many rows.
    """
    if len(objects) != count or set(map(type, objects)) - {dict}:
        raise ValueError("a line is one JSON object, {...}")
    odd = sorted(set().union(*objects) - KINDS.keys())
    if odd:
        raise ValueError(f"no column {odd[0]!r}; there are {', '.join(COLUMNS)}")
    if any("step" not in found for found in objects):
        raise ValueError("a row has a step")
    return {name: from_json(name, [found.get(name) for found in objects]) for name in COLUMNS}


def from_json(name, values):
    """Return values of JSON as those of a column, and refuse what does not belong there."""
    kind, kinds = KINDS[name], set(map(type, values)) - {type(None)}
    if kind is not Texts and kind is not Wholes and str in kinds:
        values = [float(v) if type(v) is str and v in ODD else v for v in values]
        kinds = set(map(type, values)) - {type(None)}
    wrong = kinds - ({str} if kind is Texts else {int} if kind is Wholes else {float, int})
    if wrong:
        value = next(v for v in values if type(v) in wrong)
        raise ValueError(f"{name}: {str(value)[:60]!r} does not belong there")
    return values


# ----------------------------------------------------------------------------------------------- NPZ

def save_npz(table, file):
    """Write an array per column, and the texts; the same table gives the same bytes."""
    import json
    import zipfile

    names = {name: table[name].names for name in TEXT}
    arrays = {name: table[name].array for name in COLUMNS}
    arrays["texts"] = np.frombuffer(json.dumps(names).encode(), np.uint8)
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_npz(path):
    """Return the Columns of a file that :func:`save_npz` wrote."""
    with open(path, "rb") as opened:            # what is wrong with opening it is not wrong with the archive
        return unpacked(path, opened)


def unpacked(path, opened):
    """Return the Columns of an open archive."""
    import json
    import zipfile
    import zlib

    try:
        with np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in (*COLUMNS, "texts")}
        texts = json.loads(found.pop("texts").tobytes())
        table = Columns()
        for name, array in found.items():
            column = table.columns[name]
            if array.dtype != column.dtype or array.shape != found["step"].shape or array.ndim != 1:
                raise ValueError(f"column {name} is of dtype {array.dtype} and shape {array.shape}")
            if name in TEXT:
                if not all(isinstance(text, str) for text in texts[name]) or len(set(texts[name])) < len(texts[name]):
                    raise ValueError(f"the texts of column {name} are {texts[name]!r}"[:200])
                if array.size and not 0 <= array.min() <= array.max() < len(texts[name]):
                    raise ValueError(f"column {name} has numbers of texts that are not there")
                column.names, column.codes = texts[name], {text: code for code, text in enumerate(texts[name])}
            column.put(0, array)
        table.packed = found["step"].size
        return table
    except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no trace: {error}") from None
    except (OSError, RuntimeError, OverflowError, SyntaxError, struct.error, zlib.error) as error:
        raise ValueError(f"{path} is no trace: the archive is damaged ({error})") from None
