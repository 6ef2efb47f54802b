"""Module: parameters, buffers and modules found by attribute, called like a function."""

from types import MappingProxyType

import numpy as np

from minigrad.missing import OF_NETWORKS, leave_out
from minigrad.nn.module_hooks import Hooked, call_with_hooks
from minigrad.nn.parameter import Found, Parameter, plain_buffer
from minigrad.nn.state import checked_state, converted, dtype_of


class Module(Hooked):
    """A part of a network: assign parameters and modules as attributes, and write ``forward``.

    Whatever is a :class:`Parameter` or a Module among its attributes belongs to it, in the order of assignment;
    calling ``super().__init__()`` is allowed, and not needed.

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

    training = True                             # an attribute of the class, so that no __init__ is needed
    _buffer_names = MappingProxyType({})        # name -> whether state_dict has it

    # ------------------------------------------------------------------------------- calling

    def forward(self, *args):
        """Compute the output; every module writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x)")

    def __call__(self, *args, **kwargs):
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return call_with_hooks(self, args, kwargs)

    # ---------------------------------------------------------------------------- attributes

    def __setattr__(self, name, value):
        if name in self._buffer_names:
            if isinstance(value, (Parameter, Module)):
                del self._buffer_names[name]
            else:
                value = plain_buffer(name, value)
        elif not isinstance(value, (Parameter, Module)) and value is not None:
            held = vars(self).get(name)
            if isinstance(held, (Parameter, Module)):
                kind = "parameter" if isinstance(held, Parameter) else "module"
                cure = (f"write .{name}.data = ... for new values, nn.Parameter(...) for a new parameter"
                        if kind == "parameter" else "assign a module, or None")
                raise TypeError(f"{type(self).__name__}.{name} is a {kind}, and a {type(value).__name__} is none: it "
                                f"would be trained and saved no longer; {cure}, or `del` it first")
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        if name in self._buffer_names:
            del self._buffer_names[name]

    def register_parameter(self, name, parameter):
        """Add a parameter under a name, as ``self.name = parameter`` does; None keeps the place free.

        Raises:
            TypeError: if it is no Parameter.
            ValueError: for a name with a dot, an empty one, or one that is taken.
        """
        self._check_name(name)
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"register_parameter({name!r}): a {type(parameter).__name__} is no nn.Parameter")
        setattr(self, name, parameter)

    def register_buffer(self, name, value, persistent=True):
        """Add a buffer: a tensor without gradient that belongs to the state, a running mean for instance.

        It is reached as an attribute, and what is assigned to that attribute later becomes a buffer again.

        Args:
            name: of the attribute.
            value: an array or tensor, or None for a buffer without a value yet.
            persistent: whether it is saved in ``state_dict``.

        Raises:
            TypeError: for a tensor that requires a gradient, and for what is no array of numbers.
            ValueError: for a name with a dot, an empty one, or one that is taken.
        """
        self._check_name(name)
        value = plain_buffer(name, value)
        object.__setattr__(self, name, value)
        if not self._buffer_names:
            object.__setattr__(self, "_buffer_names", {})
        self._buffer_names[name] = bool(persistent)

    def add_module(self, name, module):
        """Add a module under a name, as ``self.name = module`` does; None keeps the place free.

        Raises:
            TypeError: if it is no Module.
            ValueError: for a name with a dot, an empty one, or one that is taken.
        """
        self._check_name(name)
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {name!r} is a {type(module).__name__}, not a Module; for a "
                            f"function use nn.Tanh() and the like")
        setattr(self, name, module)

    def _check_name(self, name):
        if not isinstance(name, str):
            raise TypeError(f"a name is a string, not {name!r}")
        if not name or "." in name:
            raise ValueError(f"{name!r} cannot be a name: it must not be empty, nor hold a dot, which joins names")
        if vars(self).get(name) is not None or hasattr(type(self), name):
            raise ValueError(f"{type(self).__name__} already has an attribute {name!r}; choose another name")

    # ------------------------------------------------------------------- walking through the net

    def named_children(self):
        """Yield (name, module) for the modules directly inside, in order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def children(self):
        """Yield the modules directly inside, in order of assignment, each once."""
        yield from dict.fromkeys(module for _, module in self.named_children())

    def named_modules(self, prefix=""):
        """Yield (name, module) for this module and all inside, each once, outermost first."""
        yield from self._walk(prefix, set())

    def _walk(self, prefix, seen):
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(joined(prefix, name), seen)

    def modules(self):
        """Yield this module and all inside, each once, outermost first."""
        found, waiting = {}, [self]
        while waiting:                          # a stack instead of named_modules: no names to be joined
            module = waiting.pop()
            if id(module) not in found:
                found[id(module)] = module
                waiting += [value for value in vars(module).values() if isinstance(value, Module)][::-1]
        yield from found.values()

    def apply(self, fn):
        """Call ``fn(module)`` for every module inside and at last for this one, each once; returns this module.

        Example:
            >>> from minigrad import nn
            >>> def start(module):
            ...     if isinstance(module, nn.Linear):
            ...         nn.init.orthogonal_(module.weight)
            >>> net = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).apply(start)
        """
        self._apply(fn, set())
        return self

    def _apply(self, fn, seen):
        seen.add(id(self))
        for _, child in self.named_children():
            if id(child) not in seen:
                child._apply(fn, seen)
        fn(self)

    def named_parameters(self, prefix="", recurse=True):
        """Yield (name, parameter) for all parameters inside (or, without ``recurse``, its own), each once."""
        seen = set()
        for place, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield joined(place, name), value

    def parameters(self, recurse=True):
        """Return all parameters as a list, telling each its name in this net, for optimizers and error texts.

        ``next`` works on the list too: ``next(net.parameters()).dtype`` is that of the first.
        """
        found = Found()
        for name, p in self.named_parameters(recurse=recurse):
            p.name = name
            found.append(p)
        return found

    def named_buffers(self, prefix="", recurse=True):
        """Yield (name, tensor) for all buffers inside (or, without ``recurse``, its own), each once."""
        seen = set()
        for place, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in module._buffer_names:
                value = getattr(module, name)
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield joined(place, name), value

    def buffers(self, recurse=True):
        """Return all buffers as a list, on which ``next`` works as on that of :meth:`parameters`."""
        return Found(value for _, value in self.named_buffers(recurse=recurse))

    # ---------------------------------------------------------------- modes, gradients, dtypes

    def train(self, mode=True):
        """Put this module and all inside into training mode (dropout drops, BatchNorm measures); returns it."""
        if not isinstance(mode, (bool, np.bool_)):
            raise TypeError(f"train(mode) takes True or False, not {mode!r}")
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self):
        """Put this module and all inside into evaluation mode; returns it."""
        return self.train(False)

    def zero_grad(self, set_to_none=True):
        """Set the gradient of every parameter to None, or those that are there to zeros."""
        for module in self.modules():
            for p in vars(module).values():
                if isinstance(p, Parameter):
                    p.grad = None if set_to_none or p.grad is None else np.zeros(p.shape, p.dtype)

    def requires_grad_(self, requires_grad=True):
        """Ask for gradients of every parameter inside, or freeze them all; returns this module."""
        for _, p in self.named_parameters():
            p.requires_grad_(requires_grad)
        return self

    def to(self, *targets, dtype=None, device=None, non_blocking=False):
        """Convert all floating parameters, their gradients, and buffers to a floating dtype; returns this module.

        The parameters stay the same objects; make an optimizer after the conversion, as its moments keep their dtype.

        Args:
            targets: a dtype, a tensor whose dtype is meant, or the device "cpu", where everything is; or several.
            dtype, device: the same by name; None leaves things as they are.
            non_blocking: accepted, without effect.

        Raises:
            TypeError: for what is no floating dtype.
            ValueError: for another device, and for numbers too large for the dtype, by the name of their parameter;
                nothing has changed then.

        Example:
            >>> from minigrad import nn
            >>> nn.Linear(3, 2).to("cpu", "float32").weight.dtype
            dtype('float32')
        """
        dtype = dtype_of((*targets, dtype, device))
        if dtype is not None:
            for tensor, array, grad in converted([*self.named_parameters(), *self.named_buffers()], dtype):
                tensor._array = array
                tensor.grad = grad
        return self

    def half(self):
        """Convert to float16; see :meth:`to`."""
        return self.to(np.float16)

    def float(self):
        """Convert to float32, PyTorch's ``float``; see :meth:`to`."""
        return self.to(np.float32)

    def double(self):
        """Convert to float64; see :meth:`to`."""
        return self.to(np.float64)

    # --------------------------------------------------------------------------------- state

    def _named_state(self, prefix="", above=()):
        """Yield (name, tensor) of everything that is saved; what is shared appears under each of its names."""
        if self in above:
            return
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield joined(prefix, name), value
        for name, persistent in self._buffer_names.items():
            if persistent and getattr(self, name) is not None:
                yield joined(prefix, name), getattr(self, name)
        for name, child in self.named_children():
            yield from child._named_state(joined(prefix, name), (*above, self))

    def state_dict(self):
        """Return name -> tensor for all parameters and persistent buffers: a snapshot, which no later step changes.

        Example:
            >>> from minigrad import nn
            >>> list(nn.Sequential(nn.Tanh(), nn.Linear(3, 2)).state_dict())
            ['1.weight', '1.bias']
        """
        return {name: tensor.detach() for name, tensor in self._named_state()}

    def load_state_dict(self, state, strict=True):
        """Give parameters and persistent buffers the values in a dict name -> array or tensor, PyTorch's included.

        Everything is checked first; then values are copied and cast to the dtype that is there.

        Args:
            state: as from :meth:`state_dict`.
            strict: whether names that are missing or not known are an error.  If not, what fits by name is taken, and
                must fit in shape.

        Returns:
            a named tuple (missing_keys, unexpected_keys), two lists of names.

        Raises:
            TypeError: if ``state`` is no dict.
            ValueError: naming all that is wrong; nothing has changed then.
        """
        tensors = dict(self._named_state())
        arrays, report = checked_state(type(self).__name__, tensors, state, strict)
        for name, array in arrays.items():
            tensors[name].data = array
        return report

    # ---------------------------------------------------------------------------------- text

    def extra_repr(self):
        """Return what the repr shows between this module's brackets."""
        return ""

    def __repr__(self):
        children, extra = list(self.named_children()), self.extra_repr()
        count = sum(p.size for _, p in self.named_parameters())
        if not children:
            return f"{type(self).__name__}({extra})"
        lines = [f"  {extra}"] if extra else []
        lines += [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in children]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + f"\n)  # {count} parameters"


def joined(prefix, name):
    """Return a name within the net: "1.weight"."""
    return f"{prefix}.{name}" if prefix else name


leave_out(Module, OF_NETWORKS)
