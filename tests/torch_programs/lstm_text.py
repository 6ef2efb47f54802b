"""Embedding, LSTM and GRU on characters, Adam with weight decay, a schedule, clipping; state_dict carried over."""

import minigrad as torch
from minigrad import nn
from minigrad.optim.lr_scheduler import StepLR


class Model(nn.Module):
    def __init__(self, kinds, recurrent):
        super().__init__()
        self.embedding = nn.Embedding(kinds, 4)
        self.recurrent = recurrent(4, 6, num_layers=2, batch_first=True)
        self.head = nn.Linear(6, kinds)

    def forward(self, x, state=None):
        out, state = self.recurrent(self.embedding(x), state)
        return self.head(out), state


def train(data, start, recurrent, steps=50):
    letters = data["letters"]
    kinds = int(letters.max().item()) + 1
    model = Model(kinds, recurrent)
    start(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.05)
    scheduler = StepLR(optimizer, step_size=20, gamma=0.5)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    windows = torch.stack([letters[i:i + 9] for i in range(0, 24, 8)])
    state, losses = None, []
    for _ in range(steps):
        x, y = windows[:, :-1], windows[:, 1:]
        if isinstance(state, tuple):
            state = tuple(s.detach() for s in state)
        elif state is not None:
            state = state.detach()
        logits, state = model(x, state)
        loss = criterion(logits.view(-1, kinds), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    other = Model(kinds, recurrent)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        difference = (other(windows)[0] - model(windows)[0]).abs().max().item()
        _, predicted = torch.max(model(windows)[0], 2)
    return losses, [optimizer.param_groups[0]["lr"], difference], [float(n) for n in predicted.flatten().tolist()]


def run(data, start):
    out = {}
    for name, recurrent in (("LSTM", nn.LSTM), ("GRU", nn.GRU)):
        out[f"{name}, loss"], out[f"{name}, rate and difference"], out[f"{name}, predicted"] = train(data, start,
                                                                                                 recurrent)
    return out
