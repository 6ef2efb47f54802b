"""Mean-field theory of plain nets: published tables, closed forms, finite differences, sampling; what is refused."""

import math

import numpy as np
import pytest

from minigrad import theory

# tanh, sigma_b2 = .05: sigma_w2, q*, chi_1, trainable depth
TABLE = [(0.5, 0.0876, 0.4320, 7.1), (1.0, 0.1936, 0.7590, 21.8), (1.25, 0.2921, 0.8632, 40.8),
         (1.5, 0.4180, 0.9386, 94.7), (1.7, 0.5331, 0.9867, 450), (2.0, 0.7218, 1.0477, 151),
         (2.5, 1.0640, 1.1335, 71), (3.0, 1.4280, 1.2089, 54), (4.0, 2.1955, 1.3424, 42)]
NAMES = ["tanh", "erf", "relu", "leaky_relu", "sigmoid", "linear", "gelu", "silu", "softplus", "elu", "selu"]
ORDERED = [(name, w, b) for name in NAMES for w, b in [(0.3, 0.05), (0.45, 1.0)]]


@pytest.mark.parametrize(("sigma_w2", "q", "chi", "depth"), TABLE)
def test_tanh_against_the_published_table(sigma_w2, q, chi, depth):
    found = theory.mean_field("tanh", sigma_w2, 0.05)
    assert found.q == pytest.approx(q, abs=6e-5)
    assert found.chi_1 == pytest.approx(chi, abs=6e-5)
    assert found.trainable_depth == pytest.approx(depth, rel=8e-3)
    assert found.phase == ("ordered" if chi < 1 else "chaotic")
    assert theory.q_star("tanh", sigma_w2, 0.05) == found.q
    assert theory.chi_1("tanh", sigma_w2, 0.05) == found.chi_1
    assert theory.depth_scales("tanh", sigma_w2, 0.05) == (found.xi_q, found.xi_c, found.xi_grad)


@pytest.mark.parametrize(("sigma_w2", "log"), [(0.5, -0.6931), (0.81, -0.2107), (1, 0), (1.5, 0.0398), (2, 0.1003),
                                               (3, 0.2141), (4, 0.3094)])
def test_tanh_without_biases(sigma_w2, log):
    assert math.log(theory.chi_1("tanh", sigma_w2)) == pytest.approx(log, abs=6e-5)
    assert (theory.q_star("tanh", sigma_w2) == 0.0) == (sigma_w2 <= 1)


@pytest.mark.parametrize(("sigma_b2", "sigma_w2"), [(0.0, 1.0), (0.01, 1.4242), (0.05, 1.7610), (0.1, 1.9861),
                                                    (0.2, 2.2852), (0.3, 2.5051), (0.5, 2.8432)])
def test_the_critical_line_of_tanh(sigma_b2, sigma_w2):
    assert theory.critical_line("tanh", sigma_b2) == pytest.approx(sigma_w2, abs=6e-5)


@pytest.mark.parametrize(("name", "sigma_w2"), [("relu", 2.0), ("linear", 1.0), ("leaky_relu", 2 / 1.0001)])
def test_the_critical_line_is_flat_where_chi_does_not_depend_on_length(name, sigma_w2):
    assert theory.critical_line(name, np.array([[0.0, 0.05], [1.0, 30.0]])).tolist() == [[sigma_w2] * 2] * 2


@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid", "elu", "selu"])
@pytest.mark.parametrize("sigma_b2", [0.0, 1e-6, 0.05, 1.0, 100.0])
def test_on_the_critical_line_chi_1_is_1_and_beside_it_it_is_not(name, sigma_b2):
    edge = theory.critical_line(name, sigma_b2)
    assert theory.chi_1(name, edge, sigma_b2) == pytest.approx(1, abs=1e-9)
    assert theory.chi_1(name, 0.98 * edge, sigma_b2) < 1 < theory.chi_1(name, 1.02 * edge, sigma_b2)


def test_the_critical_line_of_erf_without_biases_is_in_closed_form():
    assert theory.critical_line("erf", 0.0) == pytest.approx(math.pi / 4, rel=1e-12)        # 1 / slope(0)^2


# ------------------------------------------------------------------------------- lengths

@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2"), [*ORDERED, ("tanh", 3.0, 0.05), ("sigmoid", 120.0, 0.0)])
def test_q_star_is_where_the_length_map_goes_by_itself(name, sigma_w2, sigma_b2):
    q = 1.0
    for _ in range(400):
        q = theory.length_map(name, q, sigma_w2, sigma_b2)
    found = theory.mean_field(name, sigma_w2, sigma_b2)
    assert found.q == pytest.approx(q, rel=1e-10)
    assert theory.q_star(name, sigma_w2, sigma_b2, q0=37.0) == pytest.approx(q, rel=1e-10)
    step = 1e-5 * q
    up, down = (theory.length_map(name, q + s, sigma_w2, sigma_b2) for s in (step, -step))
    assert found.xi_q == pytest.approx(-1 / math.log((up - down) / (2 * step)), rel=1e-6)


@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2", "q", "phase"), [
    ("relu", 1.0, 0.1, 0.2, "ordered"), ("relu", 1.0, 0.0, 0.0, "ordered"), ("relu", 2.0, 0.0, 1.0, "critical"),
    ("relu", 2.0, 0.1, math.inf, "critical"), ("relu", 2.5, 0.0, math.inf, "chaotic"),
    ("linear", 0.5, 0.1, 0.2, "ordered"), ("linear", 1.0, 0.0, 1.0, "critical"),
    ("tanh", 0.0, 0.3, 0.3, "ordered"), ("gelu", 1.0, 0.0, 0.0, "ordered"),
    ("gelu", 3.0, 0.1, math.inf, "chaotic"), ("selu", 1.0, 0.0, 1.0, "chaotic"), ("tanh", 0.0, 0.0, 0.0, "ordered")])
def test_lengths_that_settle_die_out_grow_or_stay(name, sigma_w2, sigma_b2, q, phase):
    found = theory.mean_field(name, sigma_w2, sigma_b2)
    assert found.q == pytest.approx(q, rel=1e-12)
    assert found.phase == phase


def test_where_every_length_is_kept_the_first_one_counts():
    assert theory.q_star("relu", 2.0, q0=0.3) == 0.3
    assert theory.q_star(theory.leaky_relu(0.01), 2 / 1.0001, q0=7.0) == 7.0
    assert theory.q_star("relu", 2.5, q0=0.0) == 0.0
    assert theory.fixed_points("relu", 2.0)[0].kind == "every q"


@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2", "expected"), [
    ("tanh", 0.9, 0.0, [(0, "attracting")]), ("tanh", 1.0, 0.0, [(0, "attracting")]),
    ("tanh", 2.0, 0.0, [(0, "repelling"), (0.6180, "attracting")]), ("tanh", 2.0, 0.05, [(0.7218, "attracting")]),
    ("sigmoid", 1.0, 0.0, [(0.2647, "attracting")]), ("relu", 1.0, 0.1, [(0.2, "attracting"), (math.inf, "repelling")]),
    ("relu", 3.0, 0.0, [(0, "repelling"), (math.inf, "attracting")]),
    ("gelu", 2.2, 0.0, [(0, "attracting"), (1.7224, "repelling"), (math.inf, "attracting")]),
    ("selu", 1.0, 0.0, [(0, "repelling"), (1.0, "attracting"), (math.inf, "repelling")])])
def test_all_fixed_points(name, sigma_w2, sigma_b2, expected):
    found = theory.fixed_points(name, sigma_w2, sigma_b2)
    assert [p.kind for p in found] == [kind for _, kind in expected]
    assert [p.q for p in found] == pytest.approx([q for q, _ in expected], abs=6e-5)
    for p in found:
        if 0 < p.q < math.inf:
            assert theory.length_map(name, p.q, sigma_w2, sigma_b2) == pytest.approx(p.q, rel=1e-11)


def test_a_start_on_either_side_of_a_repelling_length_ends_elsewhere():
    assert theory.q_star("gelu", 2.2, q0=1.7) == 0.0
    assert theory.q_star("gelu", 2.2, q0=1.75) == math.inf


def test_very_small_lengths_keep_their_digits():
    assert theory.q_star("tanh", 0.5, 1e-20) == pytest.approx(2e-20, rel=1e-12)
    assert theory.q_star("tanh", 1 + 1e-6) == pytest.approx(5e-7, rel=1e-5)         # E tanh^2 = q - 2 q^2 + ...


@pytest.mark.parametrize("name", NAMES)
def test_a_trajectory_follows_the_map(name):
    q, chi = theory.trajectory(name, 6, 1.3, 0.1, q0=2.0)
    assert q[0] == 2.0
    for k in range(6):
        assert q[k + 1] == pytest.approx(theory.length_map(name, float(q[k]), 1.3, 0.1), rel=1e-14)
    assert chi == pytest.approx(theory.chi_at(name, q, 1.3), rel=1e-14)


# ---------------------------------------------------------------------------- correlation

@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2"), ORDERED)
def test_in_the_ordered_phase_correlation_and_gradient_reach_equally_far(name, sigma_w2, sigma_b2):
    found = theory.mean_field(name, sigma_w2, sigma_b2)
    assert (found.phase, found.c) == ("ordered", 1.0)
    assert found.xi_c == found.xi_grad == pytest.approx(-1 / math.log(found.chi_1))
    near = 1 - theory.correlation_map(name, 1 - 1e-6, sigma_w2, sigma_b2)            # what chi_1 means at c = 1
    assert near / 1e-6 == pytest.approx(found.chi_1, rel=2e-3)


@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2"), [
    ("tanh", 2.0, 0.05), ("tanh", 4.0, 0.05), ("tanh", 3.0, 0.0), ("erf", 3.0, 0.3), ("sigmoid", 200.0, 0.5),
    ("selu", 1.0, 0.05), ("tanh", 200.0, 0.5), ("tanh", 30.0, 100.0)])
def test_in_the_chaotic_phase_c_is_where_the_correlation_map_goes(name, sigma_w2, sigma_b2):
    found = theory.mean_field(name, sigma_w2, sigma_b2)
    c, q = found.c, found.q
    assert found.phase == "chaotic"
    assert 0 <= c < 1
    assert theory.correlation_map(name, c, sigma_w2, sigma_b2) == pytest.approx(c, abs=1e-9)
    step = 1e-4 * (1 - c)
    ahead = [theory.correlation_map(name, c + s * step, sigma_w2, sigma_b2, q) for s in (0, 1, 2)]
    slope = (4 * ahead[1] - ahead[2] - 3 * ahead[0]) / (2 * step)
    assert found.xi_c == pytest.approx(-1 / math.log(slope), rel=1e-5)
    assert found.xi_grad == pytest.approx(-1 / math.log(found.chi_1))
    assert found.xi_grad < 0


def test_nets_whose_correlation_stays_or_has_no_length():
    assert math.isnan(theory.mean_field("linear", 1.0).c)                            # each pair keeps its own
    assert theory.mean_field("relu", 2.0)[2:6] == (1.0, math.inf, math.inf, math.inf)
    dead = theory.mean_field("tanh", 0.5)
    assert (dead.q, dead.xi_c) == (0.0, math.inf)
    assert math.isnan(dead.c)
    assert dead.trainable_depth == pytest.approx(6 / math.log(2))


@pytest.mark.parametrize("c", [0.0, 0.3, 0.9, 1.0])
def test_the_correlation_map_of_relu_is_the_arc_cosine_kernel(c):
    kernel = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
    assert theory.correlation_map("relu", c, 2.0, q=3.0) == pytest.approx(kernel, abs=1e-15)
    assert theory.correlation_map("relu", c, 2.0, 1.0, q=3.0) == pytest.approx((3 * kernel + 1) / 4, abs=1e-15)


# -------------------------------------------------------------------------- against sampling

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [0.4, 25.0])
def test_averages_agree_with_sampling(name, q):
    act, rng = theory.activation(name), np.random.default_rng(0)
    u = math.sqrt(q) * rng.normal(size=400_000)
    v = 0.6 * u + 0.8 * math.sqrt(q) * rng.normal(size=u.size)
    phi, slope, other = act.phi(u), act.slope(u), act.phi(v)
    for sample, exact in ((phi, act.mean(q)), (phi ** 2, act.square(q)), (slope ** 2, act.slope_square(q)),
                          (slope ** 4, act.slope_fourth(q)), (phi * phi - phi * other, act.apart(q)(0.4)[0])):
        error = sample.std() / math.sqrt(len(sample))
        assert exact == pytest.approx(sample.mean(), abs=4 * error + 1e-12)


# -------------------------------------------------------------------------------- refused

@pytest.mark.parametrize(("call", "kind", "words"), [
    (lambda: theory.mean_field("tahn", 1.0), ValueError, "did you mean 'tanh'"),
    (lambda: theory.mean_field("cube", 1.0), ValueError, "Known are linear, relu"),
    (lambda: theory.mean_field(np.tanh, 1.0), TypeError, "give its slope too"),
    (lambda: theory.mean_field("tanh", -1.0), ValueError, "sigma_w2 = -1: a variance"),
    (lambda: theory.q_star("tanh", 1.0, math.nan), ValueError, "sigma_b2 = nan"),
    (lambda: theory.q_star("tanh", math.inf), ValueError, "sigma_w2 = inf"),
    (lambda: theory.q_star("tanh", "1"), TypeError, "a number is wanted"),
    (lambda: theory.q_star("tanh", 1.0, q0=-1.0), ValueError, "q0 = -1"),
    (lambda: theory.length_map("tanh", [1.0, -2.0], 1.0), ValueError, "q = -2"),
    (lambda: theory.correlation_map("tanh", 1.5, 2.0, 0.1), ValueError, "c = 1.5"),
    (lambda: theory.correlation_map("tanh", 0.5, 0.5), ValueError, "no correlation"),
    (lambda: theory.critical_line("softplus", 0.0), ValueError, "no critical sigma_w2"),
    (lambda: theory.critical_line("tanh", [0.1, -0.1]), ValueError, "sigma_b2 = -0.1"),
    (lambda: theory.trajectory("tanh", -1, 1.0), ValueError, "depth = -1"),
    (lambda: theory.trajectory("tanh", 2.5, 1.0), TypeError, "depth = 2.5"),
    (lambda: theory.leaky_relu(math.nan), ValueError, "negative_slope")])
def test_what_is_refused_says_why(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_capitals_and_the_names_of_layers_will_do():
    assert theory.activation("LeakyReLU") is theory.activation("leaky_relu")
    assert theory.activation("Identity").name == "linear"


def test_the_result_reads_well():
    assert repr(theory.mean_field("tanh", 2.0, 0.05)) == (
        "MeanField(q=0.72176, chi_1=1.0477, c=0.74408, xi_q=1.388, xi_c=25.213, xi_grad=-21.475, phase='chaotic')")
