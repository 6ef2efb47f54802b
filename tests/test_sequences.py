"""Generated sequences are what they say: answers are found another way, step by step."""

import itertools

import numpy as np
import pytest

from minigrad.tasks import Adding, CharTask, Copy, Parity, TemporalOrder, Waves


@pytest.mark.parametrize("length", [2, 3, 10, 101])
def test_adding_marks_one_step_in_each_half_and_asks_for_the_sum(length):
    x, y = Adding(length, batch=3000).sample(np.random.default_rng(0))
    assert x[..., 0].min() >= 0
    assert x[..., 0].max() < 1
    places = set()
    for b in range(3000):
        first, second = np.flatnonzero(x[:, b, 1])
        assert first < length // 2 <= second
        assert y[b, 0] == x[first, b, 0] + x[second, b, 0]
        places |= {first, second}
    assert places == set(range(length))                        # every step may be marked
    assert set(np.unique(x[..., 1])) <= {0.0, 1.0}


@pytest.mark.parametrize(("length", "first", "second"), [
    (10, range(1, 2), range(5, 6)),
    (19, range(1, 2), range(9, 10)),
    (20, range(2, 4), range(10, 12)),
    (50, range(5, 10), range(25, 30)),
    (57, range(5, 10), range(28, 33)),
])
def test_temporal_order_places_and_classes(length, first, second):
    x, y = TemporalOrder(length, batch=2000).sample(np.random.default_rng(0))
    assert (x.sum(axis=-1) == 1).all()
    symbols = np.array(list("ABcdef"))[x.argmax(axis=-1)]
    seen = [set(), set()]
    for b in range(2000):
        places = np.flatnonzero(np.isin(symbols[:, b], ["A", "B"]))
        assert len(places) == 2
        assert ["AA", "AB", "BA", "BB"][y[b]] == "".join(symbols[places, b])
        for where, place in zip(seen, places, strict=True):
            where.add(place)
    assert seen == [set(first), set(second)]
    assert set(symbols.flat) == set("ABcdef")


@pytest.mark.parametrize(("delay", "items", "symbols"), [(1, 1, 2), (1, 4, 3), (5, 1, 8), (100, 10, 8)])
def test_copy_shows_waits_and_asks(delay, items, symbols):
    task = Copy(delay, items, symbols, batch=50)
    x, y = task.sample(np.random.default_rng(0))
    assert x.shape == (task.length, 50, symbols + 2) == (delay + 2 * items, 50, task.inputs)
    assert (x.sum(axis=-1) == 1).all()
    blank, sign = symbols, symbols + 1
    for b in range(50):
        shown = list(x[:, b].argmax(axis=-1))
        kept = shown[:items]
        assert max(kept) < symbols
        assert shown == kept + [blank] * (delay - 1) + [sign] + [blank] * items
        assert list(y[:, b]) == [blank] * (items + delay) + kept
    assert set(np.unique(y)) == set(range(symbols + 1))
    assert Copy().baseline == pytest.approx(10 * np.log(8) / 120, rel=1e-15)


@pytest.mark.parametrize("length", [2, 3, 12])
def test_parity_is_that_of_the_bits_so_far(length):
    last, each = Parity(length, batch=400), Parity(length, every_step=True, batch=400)
    x, y = last.sample(np.random.default_rng(0))
    same, steps = each.sample(np.random.default_rng(0))
    assert np.array_equal(x, same)
    assert np.array_equal(steps[-1], y)
    assert set(np.unique(x)) == {0.0, 1.0}
    for b in range(400):
        odd = 0
        for t in range(length):
            odd ^= int(x[t, b, 0])
            assert steps[t, b] == odd
    rest = np.delete(x, length // 2, axis=0).sum(axis=0)[:, 0] % 2      # one bit left out: no help at all
    assert 0.4 < (rest == y).mean() < 0.6


def test_wave_forms_stand_at_sixty_or_ninety_degrees():
    u = (np.arange(1000) + 0.5) / 1000
    forms = np.array([Waves.form(u, d) for d in range(10)])
    gram = forms @ forms.T / 1000
    pairs = list(itertools.combinations([1, 2, 3, 4, 5], 2))
    assert np.allclose(gram, [[len({*p} & {*q}) / 2 for q in pairs] for p in pairs], atol=1e-12)
    assert not Waves.form(np.array([-0.1, 1.1]), 3).any()


def test_waves_hold_the_form_of_their_class_stretched_moved_and_scaled():
    task = Waves(40, noise=0.0, batch=60)
    x, y = task.sample(np.random.default_rng(0))
    t = np.arange(40) + 0.5
    for b in range(60):
        signal = x[:, b, 0]
        where = np.flatnonzero(signal)
        width = where[-1] - where[0] + 1
        assert 0.5 * 40 - 1 <= width <= 0.9 * 40 + 1
        best = {}
        for d in range(10):                            # the best fit over widths and starts, size by projection
            errors = []
            for w in np.linspace(width - 1, width + 1, 9):
                for s in np.linspace(where[0] - 0.5, where[0] + 1.5, 9):
                    form = Waves.form((t - s) / w, d)
                    size = form @ signal / (form @ form)
                    errors.append((np.linalg.norm(signal - size * form), size))
            best[d] = min(errors)
        assert min(best, key=best.get) == y[b]
        assert 0.5 < best[y[b]][1] < 1.5


def test_waves_start_wherever_they_fit_in():
    x, _ = Waves(40, noise=0, batch=4000).sample(np.random.default_rng(0))
    shown = x[..., 0] != 0
    first, last = shown.argmax(axis=0), 39 - shown[::-1].argmax(axis=0)
    assert first.min() == 0
    assert last.max() == 39
    assert ((first + last) / 2).mean() == pytest.approx(19.5, abs=0.2)      # as far from the one end as from the other


def test_waves_are_not_to_be_had_by_a_linear_classifier_but_by_comparing_with_the_forms():
    task = Waves()
    train, (x, y) = task.sample(np.random.default_rng(0), 6000), task.sample(np.random.default_rng(1), 1000)
    with_one = [np.vstack([z[..., 0], np.ones(z.shape[1])]).T for z in (train[0], x)]
    weights = np.linalg.lstsq(with_one[0], np.eye(10)[train[1]], rcond=None)[0]
    squares = ((with_one[1] @ weights).argmax(axis=1) == y).mean()
    weights, velocity = np.zeros((41, 10)), np.zeros((41, 10))
    for _ in range(300):
        scores = with_one[0] @ weights
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        velocity = 0.9 * velocity - 0.5 / 6000 * with_one[0].T @ (shares - np.eye(10)[train[1]])
        weights += velocity
    softmax = ((with_one[1] @ weights).argmax(axis=1) == y).mean()
    scores = np.full((10, 1000), -np.inf)
    for width in np.linspace(20, 36, 9):
        for start in np.arange(0, 40 - width + 0.01, 0.5):
            forms = np.array([Waves.form((np.arange(40) + 0.5 - start) / width, d) for d in range(10)])
            forms /= np.linalg.norm(forms, axis=1, keepdims=True)
            scores = np.maximum(scores, forms @ x[..., 0])
    assert 0.55 < squares < 0.65
    assert 0.68 < softmax < 0.8
    assert (scores.argmax(axis=0) == y).mean() > 0.98


def test_the_noise_of_waves_has_the_deviation_asked_for():
    clean, noisy = Waves(noise=0, batch=2000), Waves(noise=0.5, batch=2000)
    x, y = clean.sample(np.random.default_rng(0))
    z, same = noisy.sample(np.random.default_rng(0))
    assert np.array_equal(y, same)
    assert (z - x).std() == pytest.approx(0.5, rel=0.01)
    assert np.corrcoef((z - x)[1:].ravel(), (z - x)[:-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)


REFUSED_SETTINGS = [
    (lambda: Adding(1), r"length = 1: Adding needs at least 2 steps, one in each half"),
    (lambda: TemporalOrder(9), r"length = 9: TemporalOrder needs at least 10 steps"),
    (lambda: Parity(1), r"length = 1: Parity needs at least 2"),
    (lambda: Waves(19), r"length = 19: Waves needs at least 20"),
    (lambda: Adding(0), "length must be a whole number of at least 1, not 0"),
    (lambda: TemporalOrder(20.0), "length must be a whole number of at least 1, not 20.0"),
    (lambda: Parity("8"), "length must be a whole number of at least 1, not '8'"),
    (lambda: Copy(0), "delay must be a whole number of at least 1, not 0"),
    (lambda: Copy(5, items=0), "items must be a whole number of at least 1, not 0"),
    (lambda: Copy(5, symbols=1), "symbols must be a whole number of at least 2, not 1"),
    (lambda: Waves(noise=-0.1), "noise = -0.1: a standard deviation is"),
    (lambda: Waves(noise=float("nan")), "noise = nan"),
    (lambda: Waves(noise="much"), "noise = 'much'"),
    (lambda: Adding(10, batch=0), "batch must be a whole number of at least 1, not 0"),
    (lambda: CharTask("abracadabra", 0), "seq_len must be a whole number of at least 1, not 0"),
]


@pytest.mark.parametrize(("make", "says"), REFUSED_SETTINGS)
def test_settings_that_cannot_be_meant_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
