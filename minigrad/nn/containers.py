"""Modules that hold modules, and the ones that only pass on or rearrange."""

import operator
from collections.abc import Mapping

from minigrad.nn.module import Module


def checked(owner, what, module):
    """Return a module, or say that it is none."""
    if not isinstance(module, Module):
        raise TypeError(f"{type(owner).__name__}: {what} is a {type(module).__name__}, not a Module; for a function "
                        f"use nn.Tanh() and the like")
    return module


class Numbered(Module):
    """What Sequential and ModuleList share: modules under the names "0", "1", ... that can be used like a list."""

    def _items(self):
        return list(self.named_children())

    def _place(self, items):
        """Replace all modules; those whose names are numbers are numbered anew."""
        items = [(str(k) if name.isdecimal() else name, module) for k, (name, module) in enumerate(items)]
        names = [name for name, _ in items]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{type(self).__name__}: {name!r} would name two modules")
        for name, _ in self._items():
            delattr(self, name)
        for name, module in items:
            setattr(self, name, module)

    def _index(self, index):
        """Return an index that counts from the front, checked."""
        index, length = operator.index(index), len(self)
        if not -length <= index < length:
            raise IndexError(f"{type(self).__name__} of {length} modules has no module {index}")
        return index % length

    def __len__(self):
        return len(self._items())

    def __iter__(self):
        return (module for _, module in self._items())

    def __contains__(self, module):
        return any(module is held for held in self)

    def __setitem__(self, index, module):
        setattr(self, self._items()[self._index(index)][0], checked(self, f"the module for place {index}", module))

    def __delitem__(self, index):
        items = self._items()
        if not isinstance(index, slice):
            index = self._index(index)
        del items[index]
        self._place(items)

    def append(self, module):
        """Add a module at the end; returns this one."""
        taken, number = vars(self), len(self)
        while str(number) in taken:             # a slice keeps the names that its modules had
            number += 1
        self.add_module(str(number), checked(self, "the module to append", module))
        return self

    def extend(self, modules):
        """Add several modules at the end; returns this one."""
        for module in [checked(self, f"module {k}", module) for k, module in enumerate(modules)]:
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before the one at an index; those behind it are numbered anew."""
        items = self._items()
        items.insert(operator.index(index), ("0", checked(self, "the module to insert", module)))
        self._place(items)


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


class Identity(Module):
    """Returns what it is given; stands where a layer has been taken out.  Any arguments are accepted, and ignored."""

    def __init__(self, *args, **kwargs):
        pass

    def forward(self, x):
        return x


class Flatten(Module):
    """Joins the axes start_dim ... end_dim into one; by default all but the first: (N, C, H, W) to (N, C H W).

    Raises:
        ValueError: if x has no such axes, or the first comes after the last.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Flatten()(np.ones((5, 2, 3, 4))).shape
        (5, 24)
    """

    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim, self.end_dim = operator.index(start_dim), operator.index(end_dim)

    def forward(self, x):
        ndim = len(x.shape)
        start, end = (d + ndim if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < ndim:
            raise ValueError(f"{self!r} of x of shape {tuple(x.shape)}: axes {self.start_dim} to {self.end_dim} are "
                             f"not there, or in the wrong order")
        joined = 1
        for n in x.shape[start:end + 1]:
            joined *= n
        return x.reshape((*x.shape[:start], joined, *x.shape[end + 1:]))

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


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
        y = self.module(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: x has shape {tuple(x.shape)} and module(x) {tuple(y.shape)}; they are added, "
                             f"so the module must keep the shape")
        return x + y
