"""Where the boxes of a graph go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.plot.layout import Layout, ascending, columns, crossings, neighbours, ordered, waypoints


def test_columns_are_the_longest_way_to_the_loss():
    #  0 -> 2 -> 3 -> 5, 1 -> 3, 4 -> 5, and 0 -> 5
    assert columns([[], [], [0], [1, 2], [], [3, 4, 0]]) == [0, 1, 1, 2, 2, 3]
    assert columns([[]]) == [0]


def test_edges_of_one_box_share_their_waypoints():
    parents = [[], [0], [1, 0], [2, 0]]
    tracks, links = waypoints(parents, columns(parents))
    assert tracks == [[0], [1, (0, 1)], [2, (0, 2)], [3]]
    assert (0, (0, 1)) in links
    assert ((0, 1), 2) in links
    assert ((0, 1), (0, 2)) in links


@pytest.mark.parametrize(("first", "second", "count"), [("ab", "xy", 0), ("ba", "xy", 1), ("ab", "yx", 1)])
def test_crossings_are_counted(first, second, count):
    _, right = neighbours([("a", "x"), ("b", "y")])
    assert crossings([list(first), list(second)], right) == count


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8))
def test_ascending_is_the_nearest_ascending_sequence(wish):
    found = ascending(wish)
    assert (np.diff(found) >= 0).all()
    gap = np.array(wish) - found                             # the projection on a cone: <wish - found, found> = 0, and
    assert abs(np.dot(gap, found)) < 1e-7 * (1 + np.dot(wish, wish))                          # the rest leads outwards
    assert all(np.sum(gap[k:]) <= 1e-9 * (1 + np.abs(wish).sum()) for k in range(1, len(wish)))


@given(st.lists(st.sets(st.integers(0, 30), max_size=4), min_size=1, max_size=30))
def test_any_graph_is_laid_out_with_room_for_each_box(choices):
    parents = [sorted(p for p in chosen if p < k) for k, chosen in enumerate(choices)]
    layout = Layout(parents)
    assert all(layout.column[p] < layout.column[k] for k, above in enumerate(parents) for p in above)
    for c in set(layout.column):
        heights = np.sort(layout.height[np.array(layout.column) == c])
        assert (np.diff(heights) >= 1 - 1e-9).all()
    assert set(layout.routes) == {(p, k) for k, above in enumerate(parents) for p in above}
    again = Layout(parents)
    assert (layout.height == again.height).all()


@given(st.permutations(range(6)))
def test_a_matching_is_untangled(places):
    """Two columns of which each box has one neighbour need no crossing."""
    tracks = [[("left", k) for k in range(6)], [("right", k) for k in places]]
    links = [(("left", k), ("right", k)) for k in range(6)]
    assert crossings(ordered(tracks, links), neighbours(links)[1]) == 0


def test_a_chain_is_straight():
    layout = Layout([[], [0], [1], [2]])
    assert layout.column == [0, 1, 2, 3]
    assert np.ptp(layout.height) == 0
    assert layout.rows == 1
