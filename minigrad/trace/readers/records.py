"""JSON: lines of objects, the trainer state of Hugging Face, and other documents that are lists of records."""

import json
from itertools import chain

import numpy as np

from minigrad.trace.readers.names import Unnamed, choose
from minigrad.trace.readers.series import Run
from minigrad.trace.readers.source import Source, listed, plural, quoted


class RecordReader:
    """Reads records, dicts of name -> value, some at a time.

    What a record has within dicts gets names with "/": ``{"train": {"grad_norm": 1.0}}`` has "train/grad_norm".
    """

    begin = 0           # index of the first line to feed; None where all has been read

    def __init__(self, path, layout, wanted, unit="line", explain=None):
        self.path, self.layout, self.wanted, self.explain = path, layout, wanted, explain
        self.source = Source(path, layout, unit=unit)
        self.names = []
        self.runs = []

    def feed(self, lines, number):
        """Take in lines of JSON, the first of which has this number, and return the new columns of the run."""
        records, where = self.parsed(lines, number)
        return self.take(records, where)

    def take(self, records, where):
        """Take in records with their numbers."""
        if any(isinstance(value, dict) for record in records[:100] for value in record.values()):
            records = [flat(record) for record in records]
        names = dict.fromkeys(chain(self.names, chain.from_iterable(records)))
        if not self.runs or len(names) > len(self.names):
            self.plan(list(names))
        if not self.runs:
            return []
        names = self.names

        def cells(place):
            name = names[place]
            return [record.get(name) for record in records]

        return [self.runs[0].take(cells, np.asarray(where, int))]

    def plan(self, names):
        """Decide which names to take, also when new ones have come up."""
        self.names = names
        try:
            plan = choose(names, self.wanted, "key")
        except Unnamed as error:
            raise Unnamed(self.explain(names) if self.explain else str(error)) from None
        if self.runs:
            old = self.runs[0].plan
            plan = plan._replace(norm=old.norm, step=old.step)
            self.runs[0].plan = plan
        else:
            self.source.taken = plan.taken(names)
            self.runs = [Run(plan, self.source)]
        self.source.columns, self.source.taken = tuple(names), plan.taken(names)

    def parsed(self, lines, number):
        """Return the objects in some lines, and their numbers; what is none is reported."""
        try:                                    # all at once, three times as fast
            records = json.loads(f"[{','.join(lines)}]")
            if len(records) == len(lines) and all(type(record) is dict for record in records):
                return records, np.arange(number, number + len(lines))
        except (ValueError, RecursionError):
            pass
        records, where = [], []
        for k, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                self.source.reject(number + k, f"no JSON: {getattr(error, 'msg', 'nested too deeply')}")
                continue
            if isinstance(record, dict):
                records.append(record)
                where.append(number + k)
            else:
                self.source.reject(number + k, f"{quoted(line)} is no object")
        return records, where


def flat(record, before=""):
    """Return a dict without dicts in it, the names joined by "/"."""
    found = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{before}{name}/"))
        else:
            found[before + name] = value
    return found


class Lines:
    """JSON Lines: an object in each line, with whatever keys."""

    name = "jsonl"
    title = "JSON Lines: an object with a norm in each line"
    norms = "whatever the key holds; it is taken as the norm before clipping"

    def recognises(self, text):
        """Return whether most of the first lines are objects; a single one with lists in it is another layout."""
        head = [loaded(line) for _, line in text.head(20)]
        objects = [value for value in head if isinstance(value, dict)]
        if len(head) == 1 and objects and any(isinstance(value, list) for value in objects[0].values()):
            return False
        return len(objects) > 0.5 * len(head)

    def start(self, text, wanted, forced=False):
        """Return a reader for the file."""
        return RecordReader(text.path, self.name, wanted)


class Document:
    """A file that is one JSON value: a list of records, or a dict with one, or a dict of lists of equal length."""

    name = "json"
    title = "a JSON list of records, or a dict of lists of equal length"
    norms = Lines.norms
    whole = True

    def recognises(self, text):
        """Return whether the text is JSON, or begins as nothing else does."""
        head = text.head(1)
        if not head or head[0][1].lstrip()[:1] not in ("[", "{"):
            return False
        if head[0][1].strip() in ("[", "{") or head[0][1].startswith(('{"', '[{')):
            return True
        return isinstance(loaded(text.text), (list, dict))

    def document(self, text):
        """Return the JSON value.

        Raises:
            ValueError: saying where it is not JSON.
        """
        try:
            return json.loads(text.text)
        except json.JSONDecodeError as error:
            cut = "" if text.text.rstrip().endswith(("]", "}")) else " (is the file cut short?)"
            raise ValueError(f"it is no JSON: {error.msg} in line {error.lineno}{cut}") from None
        except RecursionError:
            raise ValueError("it is no JSON that can be read: it is nested too deeply") from None

    def start(self, text, wanted, forced=False):
        """Return a reader that has read the file."""
        reader = RecordReader(text.path, self.name, wanted, "entry", self.explain)
        records = self.records(self.document(text))
        good = records
        if not all(isinstance(record, dict) for record in records):
            good = [record for record in records if isinstance(record, dict)]
            for k, record in enumerate(records, 1):
                if not isinstance(record, dict):
                    reader.source.reject(k, f"{quoted(record)} is no object")
        if not good:
            raise ValueError(f"it has no records ({plural(len(records), 'entry')} in it)")
        reader.take(good, [k for k, record in enumerate(records, 1) if isinstance(record, dict)])
        reader.begin = None
        return reader

    explain = None

    def records(self, value):
        """Return the list of records in a document."""
        if isinstance(value, dict):
            lists = {name: item for name, item in value.items() if isinstance(item, list)}
            long = max(map(len, lists.values()), default=0)
            named = {name: item for name, item in lists.items() if len(item) == long}
            records = next((item for item in named.values() if item and isinstance(item[0], dict)), None)
            if records is not None:
                return records
            if long:
                return [dict(zip(named, values)) for values in zip(*named.values())]
            raise Unnamed(f"it is a dict without lists; its keys are {listed(value)}")
        return value if isinstance(value, list) else []


class TrainerState(Document):
    """``trainer_state.json`` of Hugging Face: ``log_history`` has an entry for each logging and each evaluation.

    ``grad_norm`` is what ``accelerator.clip_grad_norm_`` returned (with DeepSpeed, ``get_global_grad_norm``), the norm
    before clipping, of the last step before the entry (transformers/trainer.py); ``loss`` is a mean over the steps
    since the entry before.  It is written from transformers 4.38 on, where ``max_grad_norm`` > 0.
    """

    name = "huggingface"
    title = "trainer_state.json of Hugging Face"
    norms = "before clipping; of the last step before each entry"

    def recognises(self, text):
        """Return whether it is a JSON object with a log_history."""
        return super().recognises(text) and (text.name == "trainer_state.json" or any(
            '"log_history"' in line[:100_000] for _, line in text.head()))

    def records(self, value):
        if not isinstance(value, dict) or not isinstance(value.get("log_history"), list):
            raise ValueError("it has no list log_history, as a trainer_state.json has")
        return value["log_history"]

    @staticmethod
    def explain(names):
        return ("its log_history has no grad_norm: transformers writes it from 4.38 on, and only where max_grad_norm > "
                f"0. The keys are {listed(names, 30)}; choose one by column=")


def loaded(line):
    """Return the JSON value of a line, or None."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
