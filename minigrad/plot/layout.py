"""Where the boxes of a graph go: columns by longest path, few crossings, straight ways; deterministic, no graphviz.

The steps are those of Sugiyama, Tagawa and Toda (1981): columns; a waypoint in each column that an edge passes; an
order within the columns by barycentres; heights.
"""

from bisect import bisect_right, insort
from itertools import pairwise

import numpy as np

SWEEPS = 12
BOX, TALL, WAY = 0.5, 0.65, 0.12
"""Half the room, in rows, of a box, a tall one, and a waypoint."""

ASIDE = 0.3
"""More room between a box and a waypoint, so that an edge is not taken to end there."""


class Layout:
    """Columns and heights for boxes.

    Args:
        parents: for each box the indices of those it was made from, all smaller than its own.
        tall: the boxes that need more room.

    Attributes:
        column: the column of each box, 0 at the left.
        height: the height of each box, in rows, downwards.
        routes: parent, child -> heights of the waypoints in the columns between them.
    """

    def __init__(self, parents, tall=()):
        self.column = columns(parents)
        tracks, links = waypoints(parents, self.column)
        order = ordered(tracks, links)
        height = heights(order, links, len(parents), frozenset(tall))
        self.height = np.array([height[k] for k in range(len(parents))])
        self.routes = {(p, k): [height[p, c] for c in range(self.column[p] + 1, self.column[k])]
                       for k, above in enumerate(parents) for p in above}

    @property
    def rows(self):
        """From the highest to the lowest box, in rows."""
        return float(np.ptp(self.height)) + 2 * BOX


def columns(parents):
    """Return the column of each box: as far left of the last as its longest way there has edges."""
    distance = [0] * len(parents)
    used = [False] * len(parents)
    for k in reversed(range(len(parents))):
        for p in parents[k]:
            distance[p], used[p] = max(distance[p], distance[k] + 1), True
    last = max(distance, default=0)
    # What leads nowhere, the last box excepted, stands at the far left.
    return [last - d if used[k] or parents[k] or k == len(parents) - 1 else 0 for k, d in enumerate(distance)]


def waypoints(parents, column):
    """Return per column what stands in it, boxes k and waypoints (parent, column), and the links (left, right).

    All edges from one box share their waypoints.
    """
    tracks = [[] for _ in range(max(column) + 1)]
    links = {}
    for k, above in enumerate(parents):
        tracks[column[k]].append(k)
        for p in above:
            before = p
            for c in range(column[p] + 1, column[k]):
                point = (p, c)
                if (before, point) not in links:
                    tracks[c].append(point)
                    links[before, point] = None
                before = point
            links[before, k] = None
    return tracks, list(links)


def neighbours(links):
    """Return two dicts: what is linked with each thing on its left, and on its right."""
    left, right = {}, {}
    for a, b in links:
        right.setdefault(a, []).append(b)
        left.setdefault(b, []).append(a)
    return left, right


def ordered(tracks, links):
    """Return the order within each column that, of several sweeps of barycentres, has the fewest crossings."""
    left, right = neighbours(links)
    order = [list(track) for track in tracks]
    best, fewest = order, crossings(order, right)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        order = [list(track) for track in order]
        forward = sweep % 2 == 0
        beside = left if forward else right
        places = range(1, len(order)) if forward else range(len(order) - 2, -1, -1)
        for c in places:
            place = {x: k for k, x in enumerate(order[c - 1 if forward else c + 1])}
            wish = {x: mean([place[y] for y in beside.get(x, [])], k) for k, x in enumerate(order[c])}
            order[c].sort(key=wish.__getitem__)
        count = crossings(order, right)
        if count < fewest:
            best, fewest = order, count
    return best


def crossings(order, right):
    """Return how many pairs of links cross."""
    total = 0
    for track, following in pairwise(order):
        place, seen = {x: k for k, x in enumerate(following)}, []
        for x in track:
            ends = sorted(place[y] for y in right.get(x, []))
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def heights(order, links, boxes, tall):
    """Return the height of everything: as near to the mean of its neighbours as order and room allow."""
    left, right = neighbours(links)
    height = {}
    for track in order:
        room = spaces(track, tall)
        height.update(zip(track, np.cumsum(room) - np.sum(room) / 2))
    places = range(len(order))
    for sweep in range(2 * SWEEPS):
        last = sweep >= 2 * SWEEPS - 4
        for c in places if sweep % 2 == 0 else reversed(places):
            track = order[c]
            beside = [left.get(x, []) + right.get(x, []) if last else (left if sweep % 2 == 0 else right).get(x, [])
                      for x in track]
            wish = np.array([mean([height[y] for y in near], height[x]) for x, near in zip(track, beside)])
            offset = np.cumsum(spaces(track, tall))
            height.update(zip(track, (ascending(wish - offset) + offset).tolist()))
    top = min(height[k] for k in range(boxes))
    return {x: y - top for x, y in height.items()}


def spaces(track, tall):
    """Return the least distance of each thing in a column from the one above it."""
    half = [WAY if isinstance(x, tuple) else TALL if x in tall else BOX for x in track]
    return np.array([0.0, *(a + b + (ASIDE if WAY in (a, b) and a != b else 0.0) for a, b in pairwise(half))])


def ascending(wish):
    """Return the ascending numbers nearest to the given ones in squares (pool adjacent violators)."""
    pools = []
    for value in wish:
        pools.append([float(value), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    return np.array([value for value, count in pools for _ in range(count)])


def mean(values, otherwise):
    """Return the mean, or the other value for none."""
    return sum(values) / len(values) if values else otherwise
