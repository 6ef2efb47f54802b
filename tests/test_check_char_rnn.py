"""The checks of tutorial 10: right answers pass, and a wrong one is shown the smallest input on which it fails."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check, tasks
from minigrad.check.char_rnn import place_by_place


def two_counters(text, k):
    contexts = Counter(text[i - k:i] for i in range(k, len(text)))
    longer = Counter(text[i - k:i + 1] for i in range(k, len(text)))
    return -sum(n * np.log(n / contexts[seen[:-1]]) for seen, n in longer.items()) / (len(text) - k)


def dict_of_counters(text, k):
    table = defaultdict(Counter)
    for i in range(k, len(text)):
        table[text[i - k:i]][text[i]] += 1
    return np.mean([-np.log(table[text[i - k:i]][text[i]] / table[text[i - k:i]].total())
                    for i in range(k, len(text))])


def of_all(text, k):
    """Counts contexts over the whole text, its last k characters among them."""
    contexts = Counter(text[i:i + k] for i in range(len(text) - k + (k > 0)))
    longer = Counter(text[i:i + k + 1] for i in range(len(text) - k))
    return -sum(n * np.log(n / contexts[seen[:-1]]) for seen, n in longer.items()) / (len(text) - k)


def joint(text, k):
    longer = Counter(text[i - k:i + 1] for i in range(k, len(text)))
    return -sum(n * np.log(n / (len(text) - k)) for n in longer.values()) / (len(text) - k)


def softmax(logits, temperature):
    z = (logits - logits.max()) / temperature
    return np.exp(z) / np.exp(z).sum()


def by_logs(logits, temperature):
    z = logits / temperature
    return [float(np.exp(a - np.logaddexp.reduce(z))) for a in z]


def loop_count(losses, bar):
    count = 0
    for run in losses:
        last = run[-20:]
        if np.all(np.isfinite(last)) and np.mean(last) < bar:
            count += 1
    return count


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.context_loss, two_counters), (check.context_loss, dict_of_counters), (check.context_loss, place_by_place),
    (check.with_temperature, softmax), (check.with_temperature, by_logs),
    (check.count_learned, loop_count), (check.count_learned, lambda x, bar: (x[:, -20:].mean(axis=1) < bar).sum()),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


NAIVE = "logits = [1000, 1001], temperature = 1"
GOOD = "a run that is at 3.5 for 60 steps and then at 0.8 for 20; bar = 2"
BAD = "a run that is at 0.8 for 60 steps and then at 12 for 20; bar = 2"
LUCKY = "a run that ends at 3 but for its last loss, 0.5; bar = 2"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.context_loss, lambda text, k: np.log(len(set(text))), "text = 'aab', k = 0", "0.636514", "count them"),
    (check.context_loss, lambda text, k: two_counters(text, k) / np.log(2), "text = 'ab', k = 0", "0.693147", "nats"),
    (check.context_loss, lambda text, k: -two_counters(text, k), "text = 'ab', k = 0", "0.693147", "not negative"),
    (check.context_loss, lambda text, k: two_counters(text, k) * (len(text) - k), "text = 'ab', k = 0", "0.693147",
     "divide by their number"),
    (check.context_loss, lambda text, k: two_counters(text, k) * (len(text) - k) / len(text), "text = 'aabb', k = 1",
     "0.462098", "only 3 places"),
    (check.context_loss, lambda text, k: two_counters(text, 0), "text = 'abababab', k = 1", "0", "knows nothing"),
    (check.context_loss, of_all, "text = 'abababab', k = 1", "0", "follow the same 1"),
    (check.context_loss, joint, "text = 'abababab', k = 1", "0", "follow the same 1"),
    (check.with_temperature, lambda z, t: np.exp(z) / np.exp(z).sum(), "logits = [0, 1], temperature = 0.5",
     "[0.119203, 0.880797]", "divide the logits"),
    (check.with_temperature, lambda z, t: softmax(z * t, 1), "logits = [0, 1], temperature = 0.5",
     "[0.119203, 0.880797]", "low one"),
    (check.with_temperature, lambda z, t: softmax(z, 1) / t, "logits = [0, 1], temperature = 0.5",
     "[0.119203, 0.880797]", "sum to 1"),
    (check.with_temperature, lambda z, t: np.exp(z / t), "logits = [0, 0], temperature = 1", "[0.5, 0.5]", "sum to 1"),
    (check.with_temperature, lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), NAIVE, "[0.268941, 0.731059]",
     "overflows"),
    (check.with_temperature, lambda z, t: np.exp(z / t - z.max()) / np.exp(z / t - z.max()).sum(),
     "logits = [1, 2, 3], temperature = 0.001", "[0, 0, 1]", "overflows"),
    (check.with_temperature, lambda z, t: np.exp((z - z.max()) / t).sum(), "logits = [0, 0], temperature = 1",
     "[0.5, 0.5]", "one share for each"),
    (check.count_learned, lambda x, bar: (x[:, -1] < bar).sum(), LUCKY, "0", "lucky step"),
    (check.count_learned, lambda x, bar: (x.min(axis=1) < bar).sum(), BAD, "0", "where a run ends"),
    (check.count_learned, lambda x, bar: (x.mean(axis=1) < bar).sum(), GOOD, "1", "last 20"),
    (check.count_learned, lambda x, bar: (x[:, -20:].mean(axis=1) <= bar).sum(), "one run of one step, at 2; bar = 2",
     "0", "not below"),
    (check.count_learned, lambda x, bar: len(x) - (x[:, -20:].mean(axis=1) >= bar).sum(),
     "a run that ends in NaN; bar = 2", "0", "NaN"),
    (check.count_learned, lambda x, bar: (np.nanmean(x[:, -20:], axis=1) < bar).sum(),
     "a run with one NaN among its last losses; bar = 2", "0", "NaN"),
    (check.count_learned, lambda x, bar: (np.median(x[:, -20:], axis=1) < bar).sum(),
     "a run that ends at 1 but for its last 5 losses, 8; bar = 2", "0", "the mean"),
    (check.count_learned, lambda x, bar: (x[:, -20:].max(axis=1) < bar).sum(),
     "a run that ends at 1 and 2.5 in turn; bar = 2", "1", "the mean"),
    (check.count_learned, lambda x, bar: (x[:, -21:].mean(axis=1) < bar).sum(),
     "a run that is at 14 for 60 steps and then at 1.5 for 20; bar = 2", "1", "not more"),
    (check.count_learned, lambda x, bar: (x[:, -10:].mean(axis=1) < bar).sum(),
     "a run that is at 5 but for its last 10 losses, 0.5; bar = 2", "0", "not fewer"),
    (check.count_learned, lambda x, bar: (x[:, -20:].mean(axis=1) < bar).mean(),
     "two runs, of which the first has learned; bar = 2", "1", "whole number"),
    (check.count_learned, lambda x, bar: int(x[0, -20:].mean() < bar), "two runs, of which the second has learned; "
     "bar = 2", "1", "whole number"),
    (check.count_learned, lambda x, bar: x[:, -20:].mean(axis=1) < bar, "one run of one step, at 0.5; bar = 2", "1",
     "not one for each"),
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.context_loss, lambda text, k: 1 / 0, "ZeroDivisionError: division by zero", "error"),
    (check.context_loss, lambda text: 0.0, "TypeError: ", "error"),
    (check.context_loss, lambda text, k: None, "None", "return"),
    (check.context_loss, lambda text, k: "many", "many", "kind of value"),
    (check.with_temperature, lambda z, t: z.__itruediv__(t), "ValueError: ", "do not change the arrays"),
    (check.with_temperature, lambda z, t: {}, "{}", "kind of value"),
    (check.count_learned, lambda x, bar: None, "None", "return"),
    (check.count_learned, lambda x, bar: x[7], "IndexError: ", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)


def test_the_oracle_of_contexts_is_the_baseline_of_the_task_and_falls_with_more_context():
    text = tasks.zen()[:200]
    losses = [place_by_place(text, k) for k in range(5)]
    assert losses[0] == pytest.approx(tasks.CharTask(text, 40).baseline, rel=1e-12)
    assert losses == sorted(losses, reverse=True)
    assert place_by_place("xyxyxy", 1) == 0
