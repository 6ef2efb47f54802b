"""Modules that hold modules or parameters, and Residual, which leads its input past one."""

import operator
from collections.abc import Mapping

from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


def checked(owner, what, module):
    """Return a module, or say that it is none."""
    if not isinstance(module, Module):
        raise TypeError(f"{type(owner).__name__}: {what} is a {type(module).__name__}, not a Module; for a function "
                        f"use nn.Tanh() and the like")
    return module


class Numbered(Module):
    """What Sequential, ModuleList and ParameterList share: things named "0", "1", ... that are used like a list."""

    holds, noun = Module, "module"

    def _items(self):
        return [(name, value) for name, value in vars(self).items() if isinstance(value, self.holds)]

    def _checked(self, what, value):
        """Return what is to be held, or say that it cannot be."""
        return checked(self, f"{what}", value)

    def _place(self, items):
        """Replace all that is held; those whose names are numbers are numbered anew."""
        items = [(str(k) if name.isdecimal() else name, value) for k, (name, value) in enumerate(items)]
        names = [name for name, _ in items]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{type(self).__name__}: {name!r} would name two {self.noun}s")
        for name, _ in self._items():
            delattr(self, name)
        for name, value in items:
            setattr(self, name, value)

    def _index(self, index):
        """Return an index that counts from the front, checked."""
        index, length = operator.index(index), len(self)
        if not -length <= index < length:
            raise IndexError(f"{type(self).__name__} of {length} {self.noun}s has no {self.noun} {index}")
        return index % length

    def __len__(self):
        return len(self._items())

    def __iter__(self):
        return (value for _, value in self._items())

    def __contains__(self, value):
        return any(value is held for held in self)

    def __setitem__(self, index, value):
        items = self._items()
        if isinstance(index, slice):
            items[index] = [("0", self._checked(f"{self.noun} {k}", v)) for k, v in enumerate(value)]
            self._place(items)
        else:
            setattr(self, items[self._index(index)][0], self._checked(f"the {self.noun} for place {index}", value))

    def __delitem__(self, index):
        items = self._items()
        if not isinstance(index, slice):
            index = self._index(index)
        del items[index]
        self._place(items)

    def append(self, value):
        """Add one at the end; returns this container."""
        taken, number = vars(self), len(self)
        while str(number) in taken:             # a slice keeps the names that its modules had
            number += 1
        setattr(self, str(number), self._checked(f"the {self.noun} to append", value))
        return self

    def extend(self, values):
        """Add several at the end, as ``+=`` does; returns this container."""
        for value in [self._checked(f"{self.noun} {k}", value) for k, value in enumerate(values)]:
            self.append(value)
        return self

    __iadd__ = extend

    def insert(self, index, value):
        """Put one before that at an index; those behind it are numbered anew."""
        items = self._items()
        items.insert(operator.index(index), ("0", self._checked(f"the {self.noun} to insert", value)))
        self._place(items)

    def pop(self, index=-1):
        """Take out the one at an index, by default the last, and return it."""
        value = self._items()[self._index(index)][1]
        del self[index]
        return value


class Sequential(Numbered):
    """Modules one after the other.

    Give modules, or a dict name -> module.  Index it like a list; a slice is a Sequential of the same modules, under
    the same names.

    Raises:
        TypeError: for what is no Module.

    Example:
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        >>> net
        Sequential(
          (0): Linear(2, 3)
          (1): Tanh()
        )  # 9 parameters
        >>> net[-1]
        Tanh()
        >>> nn.Sequential({"hidden": nn.Linear(2, 3), "squash": nn.Tanh()}).hidden
        Linear(2, 3)
    """

    def __init__(self, *modules):
        named = len(modules) == 1 and isinstance(modules[0], Mapping)
        for name, module in modules[0].items() if named else enumerate(modules):
            what = f"module {name!r}" if named else f"argument {name}"
            self.add_module(name if named else str(name), checked(self, what, module))

    def forward(self, x):
        """Return what the last module returns."""
        for _, module in self.named_children():
            x = module(x)
        return x

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(self._items()[index]))
        return self._items()[self._index(index)][1]


class ModuleList(Numbered):
    """A list of modules that belong to the net; a plain list would hide them from ``parameters()``.

    Example:
        >>> from minigrad import nn
        >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        >>> len(layers.parameters())
        6
    """

    def __init__(self, modules=()):
        for index, module in enumerate(modules):
            self.add_module(str(index), checked(self, f"module {index}", module))

    def forward(self, *args):
        raise TypeError("a ModuleList only holds modules; call them one by one, `for layer in layers: x = layer(x)`, "
                        "or use nn.Sequential")

    def __getitem__(self, index):
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return self._items()[self._index(index)][1]


class ParameterList(Numbered):
    """A list of parameters that belong to the net; a plain list would hide them from ``parameters()``.

    Tensors that require no gradient become parameters.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> weights = nn.ParameterList(mg.zeros(2, k + 1) for k in range(3))
        >>> weights
        ParameterList((2, 1), (2, 2), (2, 3))
        >>> [name for name, p in weights.named_parameters()]
        ['0', '1', '2']
    """

    holds, noun = Parameter, "parameter"

    def __init__(self, parameters=()):
        self.extend(parameters)

    def _checked(self, what, value):
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            return Parameter(value)
        if not isinstance(value, Parameter):
            raise TypeError(f"ParameterList: {what} is a {type(value).__name__}, not a Parameter")
        return value

    def forward(self, *args):
        raise TypeError("a ParameterList only holds parameters; use them one by one, `for p in parameters: ...`")

    def __getitem__(self, index):
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return self._items()[self._index(index)][1]

    def extra_repr(self):
        return ", ".join(str(p.shape) for p in self)


class ModuleDict(Module):
    """A dict of modules that belong to the net, in order of insertion.

    Example:
        >>> from minigrad import nn
        >>> heads = nn.ModuleDict({"digit": nn.Linear(4, 10), "parity": nn.Linear(4, 2)})
        >>> [name for name, p in heads.named_parameters()]
        ['digit.weight', 'digit.bias', 'parity.weight', 'parity.bias']
    """

    def __init__(self, modules=()):
        self.update(modules)

    def forward(self, *args):
        raise TypeError("a ModuleDict only holds modules; call one of them: x = modules[key](x)")

    def update(self, modules):
        """Add or replace the modules of a dict."""
        for name, module in dict(modules).items():
            self[name] = module

    def keys(self):
        """Return the names."""
        return dict(self.named_children()).keys()

    def values(self):
        """Return the modules."""
        return dict(self.named_children()).values()

    def items(self):
        """Return the (name, module) pairs."""
        return dict(self.named_children()).items()

    def __getitem__(self, name):
        return dict(self.named_children())[name]

    def __setitem__(self, name, module):
        checked(self, f"module {name!r}", module)
        if name in self:
            setattr(self, name, module)
        else:
            self.add_module(name, module)

    def __delitem__(self, name):
        delattr(self, self._known(name))

    def _known(self, name):
        self[name]
        return name

    def __len__(self):
        return len(self.keys())

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, name):
        return name in self.keys()


class Residual(Module):
    """x + module(x) (He et al. 2016): the gradient has a way past the module.

    Give one module, or several that come one after the other.

    Raises:
        TypeError: for what is no Module.
        ValueError: in forward, if the module changes the shape of x.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Residual(nn.Identity())(np.array([1.0, 2.0]))
        array([2., 4.])
    """

    def __init__(self, *modules):
        if not modules:
            raise TypeError("Residual(module): give the module beside which x is led past")
        self.module = checked(self, "its module", modules[0]) if len(modules) == 1 else Sequential(*modules)

    def forward(self, x):
        """Return x + module(x), of the shape of x."""
        y = self.module(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: x has shape {tuple(x.shape)} and module(x) {tuple(y.shape)}; they are added, "
                             f"so the module must keep the shape")
        return x + y
