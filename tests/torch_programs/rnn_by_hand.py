"""A recurrent cell written by hand with cat, trained on characters; hidden states are detached between windows."""

import minigrad as torch
import minigrad.nn as nn


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        output = self.softmax(self.h2o(hidden))
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


def run(data, start, steps=50, window=5):
    letters = data["letters"]
    kinds = int(letters.max().item()) + 1
    rnn = RNN(kinds, 7, kinds)
    start(rnn)
    criterion = nn.NLLLoss()
    hidden, losses, gradients = rnn.initHidden(), [], []
    for k in range(steps):
        hidden = hidden.detach()
        rnn.zero_grad()
        loss = 0
        for t in range(window):
            i = (k * window + t) % (len(letters) - 1)
            line = torch.zeros(1, kinds)
            line[0][letters[i]] = 1
            output, hidden = rnn(line, hidden)
            loss = loss + criterion(output, letters[i + 1].unsqueeze(0))
        loss.backward()
        for p in rnn.parameters():
            with torch.no_grad():
                p.add_(p.grad, alpha=-0.05)
        losses.append(loss.item() / window)
        gradients.append(rnn.i2h.weight.grad.norm().item())
    _, guess = output.topk(1)
    return {"loss": losses, "gradient norm": gradients, "guess": [guess[0].item()]}
