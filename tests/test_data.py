"""Data sets and batches: what a batch holds, in which order, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, Dataset, Subset, TensorDataset, collate, random_split

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def rng(seed=0):
    return np.random.default_rng(seed)


def labels(loader):
    """The labels of one epoch, batch by batch."""
    return [targets.tolist() for _, targets in loader]


class Squares(Dataset):
    """Items one by one, with a count of how often each was asked for."""

    def __init__(self, size):
        self.size, self.asked = size, []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(index)
        assert type(index) is int
        self.asked.append(index)
        return np.full((2, 2), float(index)), index ** 2


# --------------------------------------------------------------------------------------------------- data sets

def test_items_are_tuples_of_tensors():
    data = TensorDataset(X, mg.tensor(Y), Y.tolist())
    assert len(data) == 10
    x, y, z = data[3]
    assert all(type(t) is mg.Tensor and not t.requires_grad for t in (x, y, z))
    assert (x.tolist(), y.item(), z.item(), x.dtype, y.dtype) == ([6.0, 7.0], 3, 3, X.dtype, Y.dtype)
    assert data[-1][1].item() == 9
    assert data[2:4][0].tolist() == [[4.0, 5.0], [6.0, 7.0]]
    assert len(list(data)) == 10                             # iteration ends by IndexError
    assert [t.shape for t in data.tensors] == [(10, 2), (10,), (10,)]
    assert repr(data) == f"TensorDataset(float64[10, 2], {Y.dtype}[10], {Y.dtype}[10])"


def test_what_is_given_out_is_a_copy():
    x = X.copy()
    data = TensorDataset(x)
    with mg.no_grad():
        data[0][0].mul_(0.0)
        for (batch,) in DataLoader(data, 4):
            batch.mul_(0.0)
    assert (x == X).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, bool])
@pytest.mark.parametrize("slow", [False, True])
def test_dtypes_stay(dtype, slow):
    data = TensorDataset(X.astype(dtype), Y.astype(dtype))
    for batch in DataLoader(data, 3, shuffle=True, rng=rng(), collate_fn=collate if slow else None):
        assert [t.dtype for t in batch] == [dtype] * 2


@pytest.mark.parametrize(("arrays", "error", "text"), [
    ((), ValueError, "at least one"),
    ((X, Y[:9]), ValueError, r"array 0 has shape \(10, 2\), array 1 has shape \(9,\)"),
    ((X, 3.0), ValueError, "array 1 has no axes"), ((X, ["a"] * 10), TypeError, "array 1 has dtype <U1"),
    ((X, [[1], [1, 2]]), TypeError, "array 1 is no array"), ((X, [None] * 10), TypeError, "array 1 has dtype object"),
    ((mg.tensor(X, requires_grad=True),), TypeError, "array 0 requires a gradient.*detach"),
    ((X.astype(complex),), TypeError, "complex128")])
def test_bad_arrays(arrays, error, text):
    with pytest.raises(error, match=text):
        TensorDataset(*arrays)


def test_a_data_set_of_your_own_needs_two_methods():
    class Empty(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no __len__"):
        len(Empty())
    with pytest.raises(NotImplementedError, match="Empty has no __getitem__"):
        Empty()[0]


# ------------------------------------------------------------------------------------------------------ batches

@pytest.mark.parametrize(("batch_size", "drop_last", "sizes"), [
    (1, False, [1] * 10), (3, False, [3, 3, 3, 1]), (3, True, [3, 3, 3]), (5, False, [5, 5]), (5, True, [5, 5]),
    (10, True, [10]), (11, False, [10]), (11, True, []), (np.int64(4), False, [4, 4, 2])])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("data", [(X, Y), TensorDataset(X, Y), [(x, y) for x, y in zip(X, Y, strict=True)]],
                         ids=["arrays", "TensorDataset", "list"])
def test_batches(data, batch_size, drop_last, sizes, shuffle):
    loader = DataLoader(data, batch_size, shuffle, drop_last=drop_last, rng=rng())
    for _ in range(2):
        seen = []
        for i, (inputs, targets) in enumerate(loader):
            assert (type(inputs), type(targets)) == (mg.Tensor, mg.Tensor)
            assert inputs.shape == (sizes[i], 2)
            assert (inputs.data == X[targets.data]).all()
            seen += targets.tolist()
        assert len(loader) == len(sizes)
        assert len(set(seen)) == len(seen) == sum(sizes)
        assert shuffle == (seen != sorted(seen)) or not sizes


def test_one_item_per_batch_is_the_default():
    assert [x.shape for x, _ in DataLoader((X, Y))] == [(1, 2)] * 10
    assert labels(DataLoader((X, Y))) == [[i] for i in range(10)]


@given(size=st.integers(0, 40), batch=st.integers(1, 12), drop=st.booleans(), seed=st.integers(0, 5))
def test_each_item_once_per_epoch(size, batch, drop, seed):
    loader = DataLoader((np.arange(size),), batch, True, drop_last=drop, rng=rng(seed))
    for _ in range(2):
        batches = [b.tolist() for (b,) in loader]
        assert len(batches) == len(loader) == (size // batch if drop else math.ceil(size / batch))
        assert all(len(b) == batch for b in batches[:-1])
        found = sorted(i for b in batches for i in b)
        assert len(set(found)) == len(found) == (size - size % batch if drop else size)


def test_any_object_with_len_and_items():
    data = Squares(5)
    batches = list(DataLoader(data, 2))
    assert [x.shape for x, _ in batches] == [(2, 2, 2), (2, 2, 2), (1, 2, 2)]
    assert [y.tolist() for _, y in batches] == [[0, 1], [4, 9], [16]]
    assert data.asked == [0, 1, 2, 3, 4]
    assert DataLoader(data).dataset is data


def test_an_array_alone_gives_tensors():
    for data in (X, mg.tensor(X)):
        batches = list(DataLoader(data, 4))
        assert [type(b) for b in batches] == [mg.Tensor] * 3
        assert np.concatenate([b.data for b in batches]).tolist() == X.tolist()


def test_gradients_flow_through_items_that_require_them():
    w = mg.tensor(X, requires_grad=True)
    for batch in DataLoader(w, 3):
        (batch * 2.0).sum().backward()
    assert w.grad.tolist() == np.full(X.shape, 2.0).tolist()


# ------------------------------------------------------------------------------------------------------ the order

def test_the_same_seed_gives_the_same_epochs_and_each_is_new():
    a, b = (DataLoader((X, Y), 4, shuffle=True, rng=rng(7)) for _ in range(2))
    first = [labels(a) for _ in range(5)]
    assert first == [labels(b) for _ in range(5)]
    assert len({str(epoch) for epoch in first}) == 5
    assert labels(DataLoader((X, Y), 4, shuffle=True, generator=rng(7))) == first[0]
    assert labels(DataLoader((X, Y), 4, shuffle=True, rng=rng(8))) != first[0]


def test_the_order_does_not_depend_on_how_items_are_fetched():
    orders = [labels(DataLoader(data, 4, shuffle=True, rng=rng(1), collate_fn=fn))
              for data, fn in (((X, Y), None), ([*zip(X, Y, strict=True)], None), ((X, Y), collate),
                               (Subset(TensorDataset(X, Y), range(10)), None))]
    assert orders[0] == orders[1] == orders[2] == orders[3]


def test_without_a_generator_manual_seed_decides_and_nothing_else_disturbs():
    def epochs(noise):
        mg.manual_seed(5)
        loader = DataLoader((X, Y), 4, shuffle=True)
        out = []
        for _ in range(3):
            if noise:
                nn.Linear(3, 3)                              # draws from the default generator
            out.append(labels(loader))
        return out

    assert epochs(False) == epochs(True)
    mg.manual_seed(5)
    first, second = (DataLoader((X, Y), 4, shuffle=True) for _ in range(2))
    assert labels(first) != labels(second)
    mg.manual_seed(0)


def test_a_loader_that_does_not_shuffle_draws_nothing():
    mg.manual_seed(5)
    a = nn.Linear(2, 2).weight.tolist()
    mg.manual_seed(5)
    list(DataLoader((X, Y), 4))
    assert nn.Linear(2, 2).weight.tolist() == a
    mg.manual_seed(0)


def test_two_epochs_side_by_side_have_orders_of_their_own():
    loader = DataLoader((X, Y), 2, shuffle=True, rng=rng())
    other = DataLoader((X, Y), 2, shuffle=True, rng=rng())
    expected = [labels(other), labels(other)]
    one, two = iter(loader), iter(loader)
    mixed = [(next(two)[1].tolist(), next(one)[1].tolist()) for _ in range(5)]
    assert [[b for _, b in mixed], [b for b, _ in mixed]] == expected


def test_the_order_can_be_saved_between_epochs(tmp_path):
    loader = DataLoader((X, Y), 3, shuffle=True, rng=rng(2))
    labels(loader)
    mg.save(loader.rng.bit_generator.state, tmp_path / "order")
    rest = [labels(loader) for _ in range(3)]
    again = DataLoader((X, Y), 3, shuffle=True, rng=rng(99))
    again.rng.bit_generator.state = mg.load(tmp_path / "order")
    assert [labels(again) for _ in range(3)] == rest


# ------------------------------------------------------------------------------------------------------- collating

def test_collate():
    items = [{"x": [1, 2.5], "name": "a", "flag": True, "t": (mg.tensor([1.0]), np.float32(2)), "z": np.zeros((0, 2))},
             {"x": [3, 4.5], "name": "b", "flag": False, "t": (mg.tensor([3.0]), np.float32(4)), "z": np.ones((0, 2))}]
    batch = collate(items)
    assert list(batch) == ["x", "name", "flag", "t", "z"]
    assert [t.tolist() for t in batch["x"]] == [[1, 3], [2.5, 4.5]]
    assert (batch["name"], batch["flag"].tolist(), batch["flag"].dtype) == (["a", "b"], [True, False], bool)
    assert [(t.tolist(), t.dtype) for t in batch["t"]] == [([[1.0], [3.0]], np.float64), ([2.0, 4.0], np.float32)]
    assert batch["z"].shape == (2, 0, 2)


@pytest.mark.parametrize(("items", "error", "text"), [
    ([np.zeros(2), np.zeros(3)], ValueError, r"item 1 of the batch has shape \(3,\), item 0 \(2,\)"),
    ([(1, 2), (1,)], ValueError, "item 1.*does not fit"), ([(1,), [1]], ValueError, "does not fit"),
    ([{"a": 1}, {"b": 1}], ValueError, "does not fit"), ([None], TypeError, "NoneType.*collate_fn"),
    ([1, "a"], TypeError, "item 1 of the batch is a str"), ([object()], TypeError, "object")])
def test_items_that_do_not_fit_together(items, error, text):
    with pytest.raises(error, match=text):
        next(iter(DataLoader(items, len(items))))


def test_a_collate_of_your_own_gets_the_items():
    loader = DataLoader((X, Y), 4, collate_fn=lambda items: (len(items), [y.item() for _, y in items]))
    assert list(loader) == [(4, [0, 1, 2, 3]), (4, [4, 5, 6, 7]), (2, [8, 9])]


# --------------------------------------------------------------------------------------------------------- parts

def test_a_subset():
    part = Subset(TensorDataset(X, Y), np.array([7, 2, -1, 2]))
    assert (len(part), [y.item() for _, y in part]) == (4, [7, 2, 9, 2])
    assert labels(DataLoader(part, 3)) == [[7, 2, 9], [2]]
    assert labels(DataLoader(Subset(part, [3, 0]), 2)) == [[2, 7]]
    assert labels(DataLoader(part[1:3], 2)) == [[2, 9]]
    assert labels(DataLoader(Subset(Squares(4), [3, 1]), 2)) == [[9, 1]]
    assert len(Subset(Squares(4), [])) == 0
    assert repr(part) == "Subset(4 of 10 items)"


@pytest.mark.parametrize(("indices", "error", "text"), [
    ([10], IndexError, "index 10 in a data set of 10"), ([0, -11], IndexError, "index -11"),
    ([1.0], TypeError, "whole numbers"), ([True] * 10, TypeError, "flatnonzero"), ([[1]], TypeError, "whole numbers"),
    (["a"], TypeError, "whole numbers")])
def test_bad_indices(indices, error, text):
    with pytest.raises(error, match=text):
        Subset(TensorDataset(X), indices)


@pytest.mark.parametrize(("lengths", "sizes"), [
    ([7, 3], [7, 3]), ([10], [10]), ([0, 10], [0, 10]), ([0.7, 0.3], [7, 3]), ([0.75, 0.25], [8, 2]),
    ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3]), ([1.0], [10]), (np.array([4, 6]), [4, 6])])
def test_random_split(lengths, sizes):
    data = TensorDataset(X, Y)
    parts = random_split(data, lengths, rng(3))
    assert [len(part) for part in parts] == sizes
    assert all(part.dataset is data for part in parts)
    found = [i for part in parts for i in part.indices]
    assert sorted(found) == list(range(10)) != found
    assert found == [i for part in random_split(data, lengths, generator=rng(3)) for i in part.indices]


def test_lengths_of_a_random_split_are_torch_s():
    torch = pytest.importorskip("torch")
    for shares in ([0.8, 0.2], [0.75, 0.25], [1 / 3] * 3, [0.15, 0.35, 0.5], [0.1] * 10):
        for size in (20, 37, 101):
            theirs = torch.utils.data.random_split(range(size), shares)
            assert [len(p) for p in random_split(range(size), shares, rng())] == [len(p) for p in theirs]


@pytest.mark.parametrize("lengths", [[5, 4], [5, 6], [0.5, 0.4], [11, -1], [0.5, 5], [math.nan, 1.0], ["a"], [True, 9]])
def test_bad_lengths(lengths):
    with pytest.raises(ValueError, match="random_split"):
        random_split(TensorDataset(X), lengths)


# ----------------------------------------------------------------------------------------------------- bad settings

@pytest.mark.parametrize(("settings", "error", "text"), [
    ({"batch_size": 0}, ValueError, "batch_size = 0"), ({"batch_size": 2.0}, ValueError, "batch_size"),
    ({"batch_size": True}, ValueError, "batch_size"), ({"batch_size": None}, ValueError, "batch_size"),
    ({"shuffle": "yes"}, ValueError, "shuffle = 'yes'"), ({"drop_last": 2}, ValueError, "drop_last"),
    ({"num_workers": 4}, ValueError, "num_workers = 4.*this process"), ({"collate_fn": 3}, TypeError, "collate_fn"),
    ({"rng": 3}, TypeError, r"default_rng\(seed\)"), ({"rng": rng(), "generator": rng()}, ValueError, "two names")])
def test_bad_settings(settings, error, text):
    with pytest.raises(error, match=text):
        DataLoader((X, Y), **settings)


@pytest.mark.parametrize("data", [3, iter([1]), {"a": X}, "text", TensorDataset, None])
def test_what_is_no_data_set(data):
    with pytest.raises(TypeError, match="data set"):
        DataLoader(data)


def test_settings_of_torch_that_mean_nothing_here_are_taken():
    assert labels(DataLoader((X, Y), 10, shuffle=None, num_workers=0, pin_memory=True)) == [list(range(10))]


# -------------------------------------------------------------------------------------------------------- in training

def test_the_loop_of_the_articles():
    """Linear data, learnt in mini-batches; the batch's size is the weight under accumulation."""
    x = rng(0).normal(size=(50, 3))
    y = x @ np.array([[1.0], [-2.0], [0.5]]) + 0.25
    net = nn.Linear(3, 1, rng=rng(1))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    dataloader = mg.DataLoader(mg.TensorDataset(x, y), batch_size=8, shuffle=True, rng=rng(2))
    for _ in range(60):
        for i, (inputs, targets) in enumerate(dataloader):
            assert len(inputs) == (8 if i < 6 else 2)
            optimizer.zero_grad()
            nn.functional.mse_loss(net(inputs), targets).backward()
            optimizer.step(weight=len(inputs))
        assert i == 6
    assert net.weight.data == pytest.approx(np.array([[1.0, -2.0, 0.5]]), abs=1e-6)
    assert net.bias.item() == pytest.approx(0.25, abs=1e-6)


# --------------------------------------------------------------------------------------------- what may be mistaken

@pytest.mark.parametrize("arrays", [
    [np.zeros((6, 2)), np.zeros(6)], [np.zeros((6, 1)), np.zeros((6, 1))], [mg.zeros(6, 2), np.zeros((6, 3, 3))],
    [np.zeros((6, 2)), np.zeros(6), np.zeros(6)]])
def test_a_list_where_a_tuple_was_meant_is_refused(arrays):
    with pytest.raises(TypeError, match=r"a list of arrays of shapes \(6, .* would be \d items.*DataLoader\(\(x, y\)"):
        DataLoader(arrays, 2)
    assert len(DataLoader(tuple(arrays), 2)) == 3


@pytest.mark.parametrize("items", [
    [np.zeros((6, 2))], [np.zeros(6), np.zeros(6)], [np.zeros((6, 2)), np.zeros((5, 2))], [np.zeros((6, 2))] * 5,
    [(np.zeros((6, 2)), 1)] * 2, [1.0, 2.0]])
def test_lists_of_items_are_data_sets(items):
    assert len(list(DataLoader(items))) == len(items)


def test_shuffle_may_be_turned_on_later():
    mg.manual_seed(0)
    loader = DataLoader((np.arange(50),), batch_size=50)
    assert next(iter(loader))[0].tolist() == list(range(50))
    loader.shuffle = True
    first, second = (next(iter(loader))[0].tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    loader.shuffle = False
    assert next(iter(loader))[0].tolist() == list(range(50))


@pytest.mark.parametrize(("keywords", "text"), [
    ({"sampler": np.arange(3)}, r"no keyword 'sampler'; give DataLoader\(Subset\(data, order\)\)"),
    ({"batch_sampler": [[0], [1]]}, "'batch_sampler'; give batch_size"), ({"timeout": 5}, "'timeout'; the data are"),
    ({"batchsize": 3}, "'batchsize'; it has dataset, batch_size, shuffle"), ({"bs": None}, "'bs'; it has dataset")])
def test_unknown_keywords_are_named_with_what_there_is(keywords, text):
    with pytest.raises(TypeError, match=f"DataLoader has no keyword {text}|{text}"):
        DataLoader(np.arange(3), **keywords)


def test_keywords_of_torch_that_ask_for_nothing_are_taken():
    loader = DataLoader(np.arange(3), sampler=None, batch_sampler=None, timeout=0, worker_init_fn=None,
                        prefetch_factor=None, persistent_workers=False, pin_memory_device="")
    assert len(loader) == 3


@pytest.mark.parametrize(("name", "nearest"), [
    ("ConcatDataset", "np.concatenate"), ("WeightedRandomSampler", "rng.choice"), ("IterableDataset", "__len__"),
    ("SubsetRandomSampler", "shuffle=True"), ("Dataloader", "did you mean 'DataLoader'")])
def test_what_is_left_out_is_named_with_the_nearest(name, nearest):
    with pytest.raises(AttributeError, match=f"minigrad.utils.data' has no .*{nearest}"):
        getattr(mg.utils.data, name)
