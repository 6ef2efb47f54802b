"""What the reprs of modules share."""


def changed(module, **defaults):
    """Return the attributes of a module that are not as by default, as in a call: "beta=2.0, threshold=10"."""
    return ", ".join(f"{name}={value!r}" for name, default in defaults.items()
                     if (value := getattr(module, name)) != default)
