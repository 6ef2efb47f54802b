"""What minigrad leaves out, and the nearest thing it has: the text of the error when a program asks for it."""

import dis
import sys

OF_TENSORS = {
    "cuda": "minigrad runs on the CPU; leave it out",
    "is_cuda": "minigrad runs on the CPU; leave it out",
    "resize_": "reshape returns the elements in another shape",
    "unfold": "F.conv2d and pooling do it inside; or index with arrays",
    "set_": "t.data = array",
    "to_sparse": "tensors are dense",
    "fft": "np.fft of t.data; there is no gradient through it",
    "eig": "np.linalg.eigh of symmetric matrices has a gradient; np.linalg.eig(t.data) has none",
    "qr": "np.linalg.qr(t.data), without a gradient",
    "share_memory_": "one process; leave it out",
    "pin_memory": "minigrad runs on the CPU; leave it out",
    "storage": "t.data, the array",
    "data_ptr": "t.data, the array",
    "register_post_accumulate_grad_hook": "t.register_hook(fn), or hooks=[...] of the optimizer",
}

OF_NETWORKS = {
    "cuda": "minigrad runs on the CPU; leave it out",
    "device": "minigrad runs on the CPU; leave it out",
    "register_backward_hook": "net.register_full_backward_hook(fn)",
    "register_full_backward_pre_hook": "net.register_full_backward_hook(fn), which is given grad_output too",
    "_modules": "net.named_children()",
}

OF_MODULES = {
    "minigrad": {
        "Size": "shapes are tuples",
        "set_printoptions": "np.set_printoptions",
        "random": "mg.manual_seed(seed); np.random for the rest",
        "quantile": "np.quantile(t.data, q), without a gradient",
        "special": "mg.erf, mg.logsumexp, F.softmax and others stand at the top level",
        "FloatTensor": "mg.tensor(data, dtype=mg.float32)",
        "DoubleTensor": "mg.tensor(data, dtype=float)",
        "LongTensor": "mg.tensor(data) of whole numbers",
        "set_default_dtype": "float64 is the default; layers and constructors take dtype=",
        "set_grad_enabled": "with mg.no_grad(): or mg.enable_grad():",
        "set_num_threads": "set OPENBLAS_NUM_THREADS before NumPy is imported",
        "inverse": "np.linalg.inv(t)",
        "backends": "minigrad runs on the CPU; leave it out",
        "compile": "nothing is compiled; leave it out",
        "jit": "nothing is compiled; leave it out",
        "vmap": "write the batch as a leading axis",
        "func": "mg.grad(y, x, create_graph=True)",
        "amp": "hooks.LossScaler and hooks.Unscale; convert with .astype(np.float16) where float16 is wanted",
        "distributed": "one process; leave it out",
        "complex64": "tensors hold real numbers",
        "complex128": "tensors hold real numbers",
        "sparse": "tensors are dense",
        "sparse_coo_tensor": "tensors are dense",
        "hessian": "mg.grad(y, x, create_graph=True), and of each element again",
        "fft": "np.fft of t.data; there is no gradient through it",
        "load_state_dict": "net.load_state_dict(mg.load(path))",
        "use_deterministic_algorithms": "same seed, same bits: it always is; leave it out",
    },
    "minigrad.nn": {
        "Conv3d": "F.conv3d(x, weight, bias), with parameters of your own",
        "BatchNorm3d": "nn.BatchNorm2d",
        "InstanceNorm2d": "nn.GroupNorm(channels, channels)",
        "RMSNorm": "nn.LayerNorm",
        "Transformer": "build it of nn.Linear, nn.LayerNorm and F.softmax",
        "TransformerEncoderLayer": "build it of nn.Linear, nn.LayerNorm and F.softmax",
        "TransformerEncoder": "build it of nn.Linear, nn.LayerNorm and F.softmax",
        "TransformerDecoderLayer": "build it of nn.Linear, nn.LayerNorm and F.softmax",
        "Bilinear": "mg.einsum",
        "MultiheadAttention": "build it of nn.Linear and F.softmax",
        "DataParallel": "one process; leave it out",
        "Upsample": "np.repeat along both axes",
        "CTCLoss": "nn.CrossEntropyLoss",
        "EmbeddingBag": "nn.Embedding and a mean",
    },
    "minigrad.nn.functional": {
        "scaled_dot_product_attention": "F.softmax(q @ k.mT / d ** 0.5, dim=-1) @ v",
        "instance_norm": "F.group_norm(x, x.shape[1], weight, bias)",
        "rms_norm": "x / (x ** 2).mean(-1, keepdim=True).sqrt()",
        "interpolate": "np.repeat along both axes",
        "unfold": "F.conv2d and pooling take windows themselves",
        "mish": "x * F.softplus(x).tanh()",
        "glu": "a, b = x.chunk(2, dim=-1); a * b.sigmoid()",
        "hardswish": "x * F.relu6(x + 3) / 6",
        "softmin": "F.softmax(-x, dim)",
        "gumbel_softmax": "F.softmax((logits - (-mg.rand(*logits.shape).log()).log()) / tau, dim=-1)",
        "adaptive_max_pool2d": "x.amax((2, 3)) for size 1, F.max_pool2d for others",
        "hinge_embedding_loss": "write it with F.relu",
        "cosine_embedding_loss": "write it with F.cosine_similarity and F.relu",
        "triplet_margin_loss": "write it with norm and F.relu",
        "margin_ranking_loss": "write it with F.relu",
        "ctc_loss": "F.cross_entropy per step",
        "multi_margin_loss": "F.cross_entropy",
        "pairwise_distance": "(a - b).norm(dim=-1)",
        "cdist": "(a[:, None] - b[None]).norm(dim=-1)",
        "bilinear": "mg.einsum",
    },
    "minigrad.optim": {
        "LBFGS": "optim.SGD with momentum, or optim.Adam",
        "Adadelta": "optim.RMSprop",
        "Rprop": "optim.RMSprop, which divides by the size of the gradient too",
        "Muon": "optim.SGD with momentum",
        "Adamax": "optim.Adam",
        "NAdam": "optim.Adam",
        "RAdam": "optim.Adam with a warm-up schedule",
        "ASGD": "optim.SGD",
        "SparseAdam": "optim.Adam",
    },
    "minigrad.optim.lr_scheduler": {
        "OneCycleLR": "SequentialLR of a LinearLR and a CosineAnnealingLR",
        "CosineAnnealingWarmRestarts": "LambdaLR(opt, lambda t: (1 + math.cos(math.pi * (t % T) / T)) / 2)",
        "CyclicLR": "LambdaLR with a function of t % period",
        "PolynomialLR": "LambdaLR(opt, lambda t: max(0, 1 - t / T) ** power)",
        "MultiplicativeLR": "LambdaLR with the product of the factors, or ExponentialLR for one that stays",
    },
    "minigrad.utils.data": {
        "ConcatDataset": "TensorDataset of np.concatenate([...]), or a Dataset of your own",
        "ChainDataset": "itertools.chain of the loaders",
        "StackDataset": "TensorDataset(x, y)",
        "IterableDataset": "a Dataset with __len__ and __getitem__, or a generator of batches in place of the loader",
        "WeightedRandomSampler": "Subset(data, rng.choice(len(data), n, p=weights)), anew for each epoch",
        "SubsetRandomSampler": "DataLoader(Subset(data, indices), shuffle=True)",
        "RandomSampler": "DataLoader(data, shuffle=True)",
        "SequentialSampler": "DataLoader(data)",
        "BatchSampler": "DataLoader(data, batch_size=n)",
        "Sampler": "Subset(data, order), anew for each epoch",
        "DistributedSampler": "one process; leave it out",
        "get_worker_info": "the data are read in this process; leave it out",
        "default_collate": "collate",
    },
    "minigrad.nn.utils": {
        "rnn": "packed sequences are left out; pad them to one length, and leave the padding out of the loss "
               "(cross_entropy has ignore_index)",
        "weight_norm": "write weight = g * v / norm(v) in forward",
        "spectral_norm": "nn.init.spectral_radius_ for recurrent matrices, at the start",
        "parametrize": "compute the weight in forward",
        "clip_grad_norm": "nn.utils.clip_grad_norm_, with an underscore",
        "clip_grads_with_norm_": "nn.utils.clip_grad_norm_",
        "prune": "multiply the weight by a mask in forward",
    },
    "minigrad.autograd": {
        "Variable": "a tensor is one: mg.tensor(data, requires_grad=True)",
        "set_detect_anomaly": "hooks.NonFinite(\"raise\") names the parameter whose gradient is not finite",
        "detect_anomaly": "hooks.NonFinite(\"raise\") names the parameter whose gradient is not finite",
        "functional": "mg.grad(y, x, create_graph=True), row by row",
        "backward": "y.backward()",
    },
}


class LeftOut:
    """Stands under a name that a class leaves out: asking for it is an AttributeError that says what is nearest.

    One such place per name instead of a ``__getattr__``, which would slow down every other attribute, too.
    """

    def __init__(self, name, cure):
        self.name, self.cure = name, cure

    def __get__(self, instance, owner):
        raise AttributeError(f"{owner.__name__} has no {self.name!r}; the nearest thing: {self.cure}", name=self.name)


def leave_out(cls, cures):
    """Let a class say what is nearest to each of these names."""
    for name, cure in cures.items():
        setattr(cls, name, LeftOut(name, cure))


def refusal(owner, name, known, cures):
    """Return the AttributeError for a name that is not there: the nearest thing, or names that look like it."""
    if name in cures:
        return AttributeError(f"{owner} has no {name!r}; the nearest thing: {cures[name]}", name=name)
    import difflib  # only an error needs it

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.75)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}", name=name)


def explain(module, names, later=None):
    """Return the ``__getattr__`` of a module: parts imported when they are asked for, and refusals that help.

    Args:
        module: its name.
        names: a function that returns the names it has.
        later: a function of a name that returns a part to be imported now, or None.
    """
    def __getattr__(name):
        found = later(name) if later is not None and not name.startswith("__") else None
        if found is not None:
            return found
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
        error = refusal(f"module {module!r}", name, names(), OF_MODULES.get(module, {}))
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == IMPORT_FROM:    # Python would put a text of its own in its place
            raise ImportError(str(error), name=module)
        raise error
    return __getattr__


IMPORT_FROM = dis.opmap["IMPORT_FROM"]
