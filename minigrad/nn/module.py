"""Module: parameters found by attribute, called like a function."""

from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that requires a gradient and belongs to a module; ``name`` is its name in the net, e.g. "1.weight".

    Args:
        data: as for Tensor.
        dtype: a floating dtype.
    """

    __slots__ = ("name",)

    def __init__(self, data, dtype=None):
        super().__init__(data, dtype, requires_grad=True)
        self.name = None

    def __reduce__(self):
        build, arguments = super().__reduce__()
        return build, arguments, (None, {"name": self.name})


class Module:
    """A part of a network: assign parameters and modules as attributes, and write ``forward``.

    Example:
        >>> from minigrad import nn
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         self.factor = nn.Parameter([2.0])
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> [name for name, p in nn.Sequential(Scale(), Scale()).named_parameters()]
        ['0.factor', '1.factor']
    """

    def forward(self, *args):
        """Compute the output; every module writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x)")

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def named_children(self):
        """Yield (name, module) for the modules directly inside, in order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix=""):
        """Yield (name, module) for this module and all inside, each once, outermost first."""
        yield from self._walk(prefix, set())

    def _walk(self, prefix, seen):
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name, seen)

    def named_parameters(self):
        """Yield (name, parameter) for all parameters inside, each once."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{prefix}.{name}" if prefix else name), value

    def parameters(self):
        """Return all parameters as a list, telling each its name in this net, for optimizers and error texts."""
        found = []
        for name, p in self.named_parameters():
            p.name = name
            found.append(p)
        return found

    def zero_grad(self):
        """Set the gradient of every parameter to None."""
        for _, module in self.named_modules():
            for value in vars(module).values():
                if isinstance(value, Parameter):
                    value.grad = None

    def extra_repr(self):
        """Return what the repr shows between this module's brackets."""
        return ""

    def __repr__(self):
        children = list(self.named_children())
        count = sum(p.size for _, p in self.named_parameters())
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in children]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + f"\n)  # {count} parameters"
