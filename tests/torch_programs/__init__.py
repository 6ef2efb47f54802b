"""Programs as learners bring them from PyTorch, and the programs of the articles that minigrad started from.

Every file is written in PyTorch's spelling; only its import lines say minigrad.  ``test_torch_programs.py`` runs each
of them twice, as it stands and with ``torch`` put back into the import lines, from the same weights and data, and
compares the losses; without PyTorch they are compared with the losses in ``reference.json``, which PyTorch gave.

A file defines ``run(data, start)``: it gets a dict of tensors and a function that gives a network (or a list of
tensors) its starting values, and returns a dict of name -> list of numbers.
"""
