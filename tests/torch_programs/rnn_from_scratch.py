"""A recurrent net from plain tensors, its clip written from scratch, its update under no_grad."""

import minigrad as torch
import minigrad.nn.functional as F


def get_params(vocab_size, num_hiddens, start):
    W_xh = torch.zeros((vocab_size, num_hiddens))
    W_hh = torch.zeros((num_hiddens, num_hiddens))
    b_h = torch.zeros(num_hiddens)
    W_hq = torch.zeros((num_hiddens, vocab_size))
    b_q = torch.zeros(vocab_size)
    params = [W_xh, W_hh, b_h, W_hq, b_q]
    start(params)
    for param in params:
        param.requires_grad_(True)
    return params


def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H = state
    outputs = []
    for X in inputs:
        H = torch.tanh(torch.mm(X, W_xh) + torch.mm(H, W_hh) + b_h)
        Y = torch.mm(H, W_hq) + b_q
        outputs.append(Y)
    return torch.cat(outputs, dim=0), H


def grad_clipping(params, theta):
    norm = torch.sqrt(sum(torch.sum(p.grad ** 2) for p in params))
    if norm > theta:
        for param in params:
            param.grad[:] *= theta / norm
    return norm.item()


def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad
            param.grad.zero_()


def run(data, start, steps=50, num_steps=6, theta=0.3, lr=0.5):
    letters = data["letters"]
    vocab_size, num_hiddens = int(letters.max()) + 1, 8
    params = get_params(vocab_size, num_hiddens, start)
    state = torch.zeros((1, num_hiddens))
    losses, norms = [], []
    for k in range(steps):
        i = (k * num_steps) % (len(letters) - num_steps - 1)
        x, y = letters[i:i + num_steps], letters[i + 1:i + num_steps + 1]
        state.detach_()
        inputs = F.one_hot(x.reshape(1, -1).T, vocab_size).type(torch.float64)
        y_hat, state = rnn(inputs, state.detach(), params)
        loss = F.cross_entropy(y_hat, y.long()).mean()
        loss.backward()
        norms.append(grad_clipping(params, theta))
        sgd(params, lr)
        losses.append(loss.item())
    return {"loss": losses, "norm before clipping": norms}
