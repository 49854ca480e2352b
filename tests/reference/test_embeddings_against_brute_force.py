"""Scores of embeddings against loops over all pairs, and against scikit-learn."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors
from velour_evaluators.embedding.kernels.neighbours import nearest
from velour_evaluators.embedding.kernels.retrieval import (
    Labelled,
    purity_at_k,
    recall_at_k,
    separation,
)

from velour_plugin.errors import InvalidInput, UnknownName

DISTANCES = ["cosine", "euclidean"]


def brute_nearest(queries, candidates, k, distance, own):
    """Sort all candidates of each query by exact distance, then by position.

    Vectors are small whole numbers, so squares and products are exact fractions.
    """

    def far(query, candidate):
        if distance == "euclidean":
            return sum((a - b) ** 2 for a, b in zip(query, candidate, strict=True))
        product = sum(a * b for a, b in zip(query, candidate, strict=True))
        squares = sum(a * a for a in query) * sum(b * b for b in candidate)
        return -Fraction(product * abs(product), squares)  # falls as the cosine rises

    return [
        sorted(
            (at for at in range(len(candidates)) if not (own and at == place)),
            key=lambda at: (far(query, candidates[at]), at),
        )[:k]
        for place, query in enumerate(queries)
    ]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", range(10))
def test_neighbours_equal_brute_force_with_ties(seed, distance):
    """Vectors of the numbers 1 and 3 repeat themselves: most distances are ties."""
    random = np.random.default_rng(seed)
    queries, candidates = (random.choice([1, 3], (size, 3)).tolist() for size in (9, 14))
    for k in (1, 3, 50):
        among = brute_nearest(queries, candidates, k, distance, own=False)
        assert nearest(queries, k, candidates, distance).tolist() == among
        others = brute_nearest(queries, queries, k, distance, own=True)
        assert nearest(queries, k, None, distance).tolist() == others


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("block", [1, 1000, 10**6])
def test_neighbours_equal_scikit_learn(distance, block):
    """Whatever the number of pairs that are compared at a time."""
    random = np.random.default_rng(0)
    queries, candidates = random.normal(size=(70, 12)), random.normal(size=(90, 12)) + 5
    theirs = NearestNeighbors(n_neighbors=7, algorithm="brute", metric=distance).fit(candidates)
    expected = theirs.kneighbors(queries, return_distance=False)
    assert (nearest(queries, 7, candidates, distance, block) == expected).all()


@pytest.mark.parametrize("distance", DISTANCES)
def test_equal_vectors_are_equally_near(distance):
    """However long they are, and wherever they stand in a matrix product."""
    random = np.random.default_rng(3)
    few = random.normal(size=(5, 301)) * 1e3
    candidates = few[random.integers(0, 5, 400)]
    near = nearest(few, 20, candidates, distance)
    for query, own in zip(few, near, strict=True):
        same = np.flatnonzero((candidates == query).all(axis=1))
        assert own.tolist() == same[:20].tolist()


def test_neighbours_far_from_the_origin_keep_their_order():
    """A million away, differences of a thousandth still count; so do they beside an outlier."""
    line = np.array([[0.0], [0.001], [0.003], [0.007], [1e9]]) + 1e6
    assert nearest(line, 1, None, "euclidean")[:4].ravel().tolist() == [1, 0, 1, 2]


def test_tiny_and_huge_vectors_have_a_direction():
    """The squares of some are zero."""
    vectors = [[1e-200, 0], [0, 1e-200], [1e100, 1e99], [1e98, 1e100]]
    assert nearest(vectors, 1).ravel().tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", range(5))
def test_purity_and_recall_equal_brute_force(seed, distance):
    """Counted over lists of neighbours, label by label."""
    random = np.random.default_rng(seed)
    queries = Labelled(random.integers(1, 5, (20, 3)), random.choice(["a", "b", "c"], 20))
    candidates = Labelled(random.integers(1, 5, (15, 3)), random.choice(["a", "b"], 15))
    for other in (None, candidates):
        theirs = other or queries
        near = brute_nearest(
            np.asarray(queries.vectors).tolist(),
            np.asarray(theirs.vectors).tolist(),
            4,
            distance,
            own=other is None,
        )
        hits = theirs.labels[near] == queries.labels[:, None]
        times = [(theirs.labels == own).sum() - (other is None) for own in queries.labels]
        assert purity_at_k(queries, 4, other, distance) == pytest.approx(hits.mean())
        expected = hits.any(axis=1)[np.array(times) > 0].mean()
        assert recall_at_k(queries, 4, other, distance) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [1, 500, 10**6])
def test_separation_equals_the_area_under_the_roc_curve(seed, block):
    """Of all pairs, with ties of similarities that agree to 2**-20."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (40, 4)) + np.array([0.5, 0, 0, 0])
    queries = Labelled(vectors, random.integers(0, 3, 40))
    first, second = np.triu_indices(40, 1)
    alike = np.rint(cosine_similarity(vectors)[first, second] * 2**20)
    expected = roc_auc_score(queries.labels[first] == queries.labels[second], alike)
    assert separation(queries, block=block) == pytest.approx(expected, abs=1e-12)
    parts = np.s_[:15], np.s_[15:]
    some, others = (Labelled(vectors[part], queries.labels[part]) for part in parts)
    alike = np.rint(cosine_similarity(some.vectors, others.vectors) * 2**20)
    same = some.labels[:, None] == others.labels
    expected = roc_auc_score(same.ravel(), alike.ravel())
    assert separation(some, others, block) == pytest.approx(expected, abs=1e-12)


def test_labels_that_are_apart_are_separated_and_constant_vectors_are_not():
    """1 is best, and all ties are exactly one half."""
    labels = [0, 0, 1, 1]
    assert separation(Labelled([[1, 0], [2, 0.1], [0, 1], [0.1, 3]], labels)) == 1.0
    assert separation(Labelled(np.full((4, 7), 0.3), labels)) == 0.5


def test_what_cannot_be_said_is_none():
    """No neighbour, nothing to find, no pair to compare."""
    alone, strangers = Labelled([[1.0, 0]], ["a"]), Labelled([[1.0, 0], [0, 1]], ["a", "b"])
    nobody = Labelled(np.zeros((0, 2)), np.zeros(0, str))
    assert purity_at_k(alone, 1) is None
    assert recall_at_k(strangers, 1) is None
    assert separation(strangers) is None
    assert separation(Labelled([[1.0, 0], [0, 1]], ["a", "a"])) is None
    for judge in (lambda a, b: purity_at_k(a, 1, b), lambda a, b: recall_at_k(a, 1, b), separation):
        assert judge(nobody, strangers) is None
        assert judge(strangers, nobody) is None


def test_fewer_candidates_than_asked_for_are_all_neighbours():
    """Two others of one's label among three are two thirds, at any k."""
    four = Labelled([[1.0, 0], [1, 0.1], [1, 0.2], [0, 1]], ["a", "a", "a", "b"])
    assert purity_at_k(four, 99) == pytest.approx((2 / 3 * 3 + 0) / 4)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[1.0, np.nan]], "embedding 0 has NaN"),
        ([[1.0, 1.0], [0.0, 0.0]], "embedding 1 is all zero"),
    ],
)
def test_vectors_without_a_direction_are_refused(vectors, message):
    """With the way out."""
    with pytest.raises(InvalidInput, match=message):
        nearest(vectors, 1)


def test_other_mistakes_are_refused():
    """Lengths that differ, labels that are missing, a k or a distance that is none."""
    with pytest.raises(InvalidInput, match="all of one length"):
        nearest([[1.0, 0]], 1, [[1.0, 0, 0]])
    with pytest.raises(InvalidInput, match="one label a vector"):
        purity_at_k(Labelled([[1.0, 0]], ["a", "b"]), 1)
    for k in (0, 1.5, True):
        with pytest.raises(InvalidInput, match="whole number of neighbours"):
            nearest([[1.0, 0]], k)
    with pytest.raises(UnknownName, match="did you mean 'cosine'"):
        nearest([[1.0, 0]], 1, distance="cosin")


def test_memory_does_not_grow_with_the_square():
    """3,000 x 3,000 similarities would be 72 MB; blocks of 100,000 pairs stay far below."""
    random = np.random.default_rng(0)
    many = Labelled(random.normal(size=(3000, 4)), random.integers(0, 9, 3000))
    tracemalloc.start()
    nearest(many.vectors, 5, block=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
