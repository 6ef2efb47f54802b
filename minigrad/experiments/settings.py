"""Settings of an experiment: a frozen dataclass whose fields know their range, and can be set from text.

An experiment writes::

    @dataclass(frozen=True)
    class Config(Settings):
        lr: float = setting(0.02, above=0, doc="learning rate")
        seeds: int = setting(6, least=1, doc="runs, seeds 0, 1, ...")
"""

import dataclasses
import difflib
import math
import numbers
import typing


def setting(default, *, doc, least=None, most=None, above=None, below=None, choices=None, may_be_inf=False):
    """Return a field of :class:`Settings`.

    Args:
        default: its value if nothing is said; a tuple stands for several values of the kind of its first.
        doc: what it is, in a few words.
        least, most, above, below: the range, with and without its end.
        choices: the values there are.
        may_be_inf: whether "inf" is a value, as of a threshold that is never reached.
    """
    return dataclasses.field(default=default, metadata={
        "doc": doc, "least": least, "most": most, "above": above, "below": below, "choices": choices,
        "may_be_inf": may_be_inf})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base of every experiment's Config: the same settings give the same numbers.

    Raises:
        ValueError: when it is made with a value out of its range; it says the range.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if "doc" not in field.metadata:
                continue
            value = getattr(self, field.name)
            for one in value if isinstance(field.default, tuple) else (value,):
                check(field, one)

    @classmethod
    def parse(cls, texts):
        """Return a config in which some settings are given as text, and the others as by default; see :meth:`changed`.

        Example:
            >>> from minigrad.experiments import cliff
            >>> cliff.Config.parse({"steps": "20"}).steps
            20
        """
        return cls().changed(texts)

    def changed(self, texts):
        """Return these settings, some of them changed to what is given as text, as on the command line.

        Args:
            texts: name -> text; several values are separated by commas.

        Raises:
            KeyError: for an unknown name; it says which are near, and which there are.
            ValueError: for a text that is no value of its kind, or out of range.
        """
        fields = {field.name: field for field in dataclasses.fields(self) if "doc" in field.metadata}
        for name in texts:
            if name not in fields:
                raise KeyError(unknown("setting", name, fields))
        return dataclasses.replace(self, **{name: from_text(fields[name], text) for name, text in texts.items()})

    def described(self):
        """Return a row of texts for each setting: its name, its value, what it takes, and what it is.

        Example:
            >>> from minigrad.experiments import cliff
            >>> cliff.Config().described()[0]
            ('steps', '50', 'a whole number >= 1 and <= 1000', 'steps through time')
        """
        return [(field.name, as_text(getattr(self, field.name)),
                 range_of(field) + (", several with commas" if isinstance(field.default, tuple) else ""),
                 field.metadata["doc"]) for field in dataclasses.fields(self) if "doc" in field.metadata]

    def as_dict(self):
        """Return the settings by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def kind_of(field):
    """Return int, float, bool or str: what a field holds, or several of."""
    example = field.default[0] if isinstance(field.default, tuple) else field.default
    if example is None:
        return next(kind for kind in typing.get_args(field.type) if kind is not type(None))
    return type(example)


def optional(field):
    """Return whether None is a value."""
    return type(None) in typing.get_args(field.type)


def check(field, value):
    """Refuse a value that a field cannot take."""
    kind, limits = kind_of(field), field.metadata
    if value is None and optional(field):
        return
    wanted = range_of(field)
    right = {int: numbers.Integral, float: numbers.Real}.get(kind, kind)
    if not isinstance(value, right) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{field.name} = {value!r}: it is {wanted}")
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"{field.name} = {value!r}: it is {wanted}")
    if kind in (int, float):
        bad = ((not math.isfinite(value) and not (limits["may_be_inf"] and value == math.inf))
               or (limits["least"] is not None and value < limits["least"])
               or (limits["most"] is not None and value > limits["most"])
               or (limits["above"] is not None and value <= limits["above"])
               or (limits["below"] is not None and value >= limits["below"]))
        if bad:
            raise ValueError(f"{field.name} = {value!r} is out of range: it is {wanted}")


def range_of(field):
    """Return in words what a field takes."""
    limits = field.metadata
    if limits["choices"]:
        return "one of " + ", ".join(map(str, limits["choices"]))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind_of(field)]
    signs = {"least": ">=", "above": ">", "most": "<=", "below": "<"}
    ends = [f"{sign} {limits[name]:g}" for name, sign in signs.items() if limits[name] is not None]
    words = " ".join([words, " and ".join(ends)]).strip()
    words += ", or inf" if limits["may_be_inf"] else ""
    return words + (", or none" if optional(field) else "")


def from_text(field, text):
    """Return the value that a text stands for."""
    if isinstance(field.default, tuple):
        return tuple(one_from_text(field, part) for part in text.split(","))
    return one_from_text(field, text)


def one_from_text(field, text):
    """Return a single value that a text stands for."""
    text, kind = text.strip(), kind_of(field)
    if optional(field) and text.lower() == "none":
        return None
    if field.metadata["may_be_inf"] and text.lower() == "none":     # a threshold of none is one that is never reached
        return math.inf
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        raise ValueError(f"{field.name} = {text!r}: it is {range_of(field)}") from None


def as_text(value):
    """Return the text that stands for a value.

    Example:
        >>> as_text((0.5, None)), as_text(True)
        ('0.5,none', 'true')
    """
    if isinstance(value, tuple):
        return ",".join(map(as_text, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) and float(f"{value:.12g}") == value else str(value)


def unknown(what, name, known):
    """Return the message for a name that is not there: its nearest neighbours, and all there are."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"no {what} {name!r}; {meant}There are: {', '.join(known)}"
