"""Losses as modules: the functions of ``nn.functional``, with their options kept; there the formulas stand.

Options are refused when the module is made, not when it is first called.
"""

from minigrad.nn import functional as F
from minigrad.nn.functional.common import check_reduction
from minigrad.nn.module import Module
from minigrad.nn.showing import changed


class Loss(Module):
    """What losses share: the option ``reduction``, "mean", "sum" or "none"."""

    known_reductions = ("mean", "sum", "none")

    def __init__(self, *more, reduction="mean"):
        if more:
            raise TypeError(f"{type(self).__name__} takes its options by keyword, and what is compared when it is "
                            f"called: loss = nn.{type(self).__name__}(); loss(output, target)")
        check_reduction(type(self).__name__, reduction, self.known_reductions)
        self.reduction = reduction

    def extra_repr(self):
        return changed(self, reduction="mean")

    def keep_weight(self, name, weight):
        """Keep factors as a buffer, so that they are saved with the net; None is kept as None."""
        if weight is None:
            setattr(self, name, None)
        else:
            self.register_buffer(name, weight)


class MSELoss(Loss):
    """The mean of (x - target)^2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MSELoss()(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor(5.)
    """

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """The mean of |x - target|.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.L1Loss(reduction="sum")(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor(4.)
    """

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """The mean of |x - target|, rounded off as a parabola within beta of 0.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.SmoothL1Loss(reduction="none", beta=2.0)(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor([0.25, 2.  ])
    """

    def __init__(self, *, reduction="mean", beta=1.0):
        super().__init__(reduction=reduction)
        if not beta >= 0:
            raise ValueError(f"SmoothL1Loss: beta = {beta}, but it cannot be below 0")
        self.beta = beta

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)

    def extra_repr(self):
        return changed(self, reduction="mean", beta=1.0)


class HuberLoss(Loss):
    """The mean of a parabola in x - target that goes on as a straight line beyond delta.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.HuberLoss(reduction="none")(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor([0.5, 2.5])
    """

    def __init__(self, *, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        if not delta > 0:
            raise ValueError(f"HuberLoss: delta = {delta}, but it must be above 0")
        self.delta = delta

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)

    def extra_repr(self):
        return changed(self, reduction="mean", delta=1.0)


class CrossEntropyLoss(Loss):
    """The mean of -log softmax(logits)[target], in nats; see :func:`minigrad.nn.functional.cross_entropy`.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CrossEntropyLoss(ignore_index=-1)(mg.tensor([[0.0, 0.0], [9.0, 1.0]]), [1, -1])        # log 2
        tensor(0.69314718)
    """

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__(reduction=reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"CrossEntropyLoss: label_smoothing = {label_smoothing}, but it lies between 0 and 1")
        self.keep_weight("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input, target):
        """Return the loss of input (N, C, ...) for target (N, ...): a number, or (N, ...) for reduction "none"."""
        return F.cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                               label_smoothing=self.label_smoothing)

    def extra_repr(self):
        return changed(self, ignore_index=-100, reduction="mean", label_smoothing=0.0)


class NLLLoss(Loss):
    """The mean of -log_p[target]: CrossEntropyLoss without its log_softmax.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.NLLLoss()(mg.tensor([[-0.5, -1.0], [-2.0, -0.1]]), [0, 1])
        tensor(0.3)
    """

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean"):
        super().__init__(reduction=reduction)
        self.keep_weight("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        """Return the loss of input (N, C, ...) for target (N, ...): a number, or (N, ...) for reduction "none"."""
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)

    def extra_repr(self):
        return changed(self, ignore_index=-100, reduction="mean")


class BCEWithLogitsLoss(Loss):
    """The mean of -(t log s + (1 - t) log(1 - s)), s = sigmoid(x), in nats; exact however large x.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.BCEWithLogitsLoss()(mg.tensor([0.0, 800.0]), [1.0, 1.0])         # log(2) / 2
        tensor(0.34657359)
    """

    def __init__(self, weight=None, *, reduction="mean", pos_weight=None):
        super().__init__(reduction=reduction)
        self.keep_weight("weight", weight)
        self.keep_weight("pos_weight", pos_weight)

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, reduction=self.reduction,
                                                  pos_weight=self.pos_weight)


class BCELoss(Loss):
    """The mean of -(t log x + (1 - t) log(1 - x)) for probabilities x, in nats; BCEWithLogitsLoss is safer.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.BCELoss()(mg.tensor([0.5, 1.0]), [1.0, 1.0])         # log(2) / 2
        tensor(0.34657359)
    """

    def __init__(self, weight=None, *, reduction="mean"):
        super().__init__(reduction=reduction)
        self.keep_weight("weight", weight)

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class KLDivLoss(Loss):
    """The divergence of exp(x) from the target, in nats; "batchmean" is its mean over the first axis.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.KLDivLoss(reduction="batchmean")(mg.tensor([[-0.7, -0.7]]), [[1.0, 0.0]])
        tensor(0.7)
    """

    known_reductions = ("batchmean", "mean", "sum", "none")

    def __init__(self, *, reduction="mean", log_target=False):
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, input, target):
        """Return the loss of two arrays of one shape: a number, or of that shape for reduction "none"."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)

    def extra_repr(self):
        return changed(self, reduction="mean", log_target=False)
