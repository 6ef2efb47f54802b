"""Article 000: a two-layer net whose gradient norm is clipped at 1.

The article prints the program twice, for two Chinese words for clipping, one said to be for gradients too large and
one for gradients too small.  The two are the same program.
"""

import minigrad as torch
import minigrad.optim as optim


class Net(torch.nn.Module):
    def __init__(self):
        super(Net, self).__init__()     # noqa: UP008 (as the article spells it)
        self.fc1 = torch.nn.Linear(10, 50)
        self.fc2 = torch.nn.Linear(50, 1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = self.fc2(x)
        return x


def run(data, start, clip=1.0, steps=50, lr=0.01):
    net = Net()
    start(net)
    criterion = torch.nn.MSELoss()
    optimizer = optim.SGD(net.parameters(), lr=lr)
    losses, norms = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        output = net(data["x"])
        loss = criterion(output, data["y"])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=clip)
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm.item())
    return {"loss": losses, "norm before clipping": norms}
