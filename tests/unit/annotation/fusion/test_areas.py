"""Masks and polygons of several workers: STAPLE, borders, outlines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.fusion import merge
from titian.annotation.fusion.borders import signed_distance
from titian.annotation.fusion.masks import crosses
from titian.annotation.fusion.outlines import fill, outlines
from titian.annotation.fusion.staple import Patterns, fuse_maps, patterns_of, staple
from titian.annotation.masks import decode_mask, encode_mask, rasterise
from titian.annotation.shapes import Annotation, Image, LabelSet, Polygon

PAGE = Image(name="a.png", width=120, height=80)


def set_of(*shapes, document=PAGE) -> LabelSet:
    return LabelSet(
        documents=(document,),
        annotations=tuple(
            Annotation(document=document.name, label="cell", shape=shape) for shape in shapes
        ),
    )


def disc(x, y, radius, *, width=120, height=80):
    column, row = np.arange(width) + 0.5, np.arange(height) + 0.5
    return (column - x) ** 2 + (row[:, None] - y) ** 2 <= radius**2


def wavy(x, y, radius, *, seed=0, points=40):
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    long = radius * (1 + 0.1 * np.cos(3 * angle + rng.uniform(0, 6)))
    ring = tuple(
        zip(
            (x + long * np.cos(angle)).tolist(),
            (y + long * np.sin(angle)).tolist(),
            strict=True,
        )
    )
    return Polygon(rings=(ring,))


def same(first, second):
    return (first & second).sum() / (first | second).sum()


def test_staple_of_three_equal_workers_takes_the_side_of_two():
    # 2 x 2 x 2 patterns of three workers, in numbers that the workers' errors explain.
    said = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    pixels = np.array([400.0, 20, 20, 20, 20, 20, 20, 300])
    found = staple(
        Patterns(said=said, pixels=pixels, region=np.zeros(8, dtype=np.int64)), classes=2
    )
    assert (found.posterior.argmax(axis=1) == (said.sum(axis=1) > 1)).all()
    np.testing.assert_allclose(found.tables[0], found.tables[1])
    assert found.converged


def test_staple_follows_the_one_good_worker_against_two_poor_ones():
    rng = np.random.default_rng(3)
    truth = rng.random((60, 60)) < 0.5
    maps = np.stack(
        [np.where(rng.random(truth.shape) < wrong, ~truth, truth) for wrong in (0.02, 0.4, 0.4)]
    ).astype(np.int64)
    label, _, found = fuse_maps(maps, classes=2)
    majority = maps.sum(axis=0) >= 2
    assert (label == truth).mean() > (majority == truth).mean() + 0.1
    assert (label == truth).mean() > 0.97
    assert found.tables[0, 1, 1] > 0.9 > 0.7 > found.tables[1, 1, 1]


def test_staple_of_several_labels_learns_which_one_a_worker_confuses():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, (40, 40))
    maps = np.stack([truth, truth, np.where(truth == 2, 1, truth)])
    label, sure, found = fuse_maps(maps, classes=3)
    assert (label == truth).all()
    assert found.tables[2, 2, 1] > 0.9
    assert sure.min() > 0.5


@pytest.mark.parametrize("workers", [3, 20])
def test_patterns_hold_what_each_pixel_holds(workers):
    maps = np.random.default_rng(1).integers(-1, 2, (workers, 50))
    said, count, place = patterns_of(maps, np.arange(workers), workers=workers)
    np.testing.assert_array_equal(said[place].T, maps)
    np.testing.assert_array_equal(np.bincount(place), count)


def test_staple_of_an_empty_image_is_background():
    label, sure, _ = fuse_maps(np.zeros((3, 5, 7), dtype=np.int64), classes=2)
    assert (label == 0).all()
    assert (sure == 1.0).all()


def test_the_background_far_away_does_not_matter():
    rng = np.random.default_rng(6)
    truth = disc(40, 40, 15)
    maps = np.stack(
        [truth ^ (rng.random(truth.shape) < 0.1) & disc(40, 40, 18) for _ in range(3)]
    )
    wide = np.pad(maps, ((0, 0), (200, 200), (300, 300)))
    one = fuse_maps(maps.astype(np.int64), classes=2)
    two = fuse_maps(wide.astype(np.int64), classes=2)
    np.testing.assert_array_equal(one[0], two[0][200:-200, 300:-300])
    np.testing.assert_allclose(one[2].tables, two[2].tables)


@settings(max_examples=25, deadline=None)
@given(
    x=st.integers(20, 90),
    y=st.integers(20, 60),
    radius=st.integers(2, 18),
    workers=st.integers(1, 4),
)
def test_workers_who_draw_the_same_mask_give_it_back(x, y, radius, workers):
    mask = encode_mask(disc(x, y, radius))
    merged = merge({f"w{k}": set_of(mask) for k in range(workers)})
    assert [a.shape for a in merged.label_set.annotations] == [mask]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), workers=st.integers(1, 4))
def test_workers_who_draw_the_same_polygon_give_it_back(seed, workers):
    polygon = wavy(50, 40, 20, seed=seed)
    merged = merge({f"w{k}": set_of(polygon) for k in range(workers)})
    assert [a.shape for a in merged.label_set.annotations] == [polygon]


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(3)))
def test_the_order_of_workers_does_not_matter(order):
    drawn = [encode_mask(disc(40 + k, 40, 14 + 2 * k)) for k in range(3)]
    one = merge({f"w{k}": set_of(drawn[k]) for k in range(3)})
    two = merge({f"w{k}": set_of(drawn[k]) for k in order})
    assert [a.shape for a in one.label_set.annotations] == [
        a.shape for a in two.label_set.annotations
    ]


def test_the_border_lies_between_those_drawn():
    radii = (12.0, 14.0, 16.0)
    merged = merge({f"w{r}": set_of(encode_mask(disc(40, 40, r))) for r in radii})
    (only,) = merged.label_set.annotations
    assert same(decode_mask(only.shape), disc(40, 40, 14.0)) > 0.95


def test_polygons_are_fused_and_traced_back():
    polygons = [wavy(50 + dx, 40, 20, seed=1) for dx in (-1.0, 0.0, 1.0)]
    merged = merge({f"w{k}": set_of(p) for k, p in enumerate(polygons)})
    (only,) = merged.label_set.annotations
    found = rasterise(only.shape, width=120, height=80)
    assert same(found, rasterise(polygons[1], width=120, height=80)) > 0.97
    assert not crosses(only.shape)
    assert len(only.shape.rings[0]) < 200


@pytest.mark.parametrize("scale", [0.01, 50.0])
def test_the_unit_of_length_does_not_matter(scale):
    def grown(polygon, by):
        return Polygon(
            rings=tuple(tuple((x * by, y * by) for x, y in ring) for ring in polygon.rings)
        )

    where = Image(name="a.png")
    polygons = [wavy(50 + dx, 40, 20, seed=1) for dx in (-1.0, 0.0, 1.5)]
    one = merge({f"w{k}": set_of(p, document=where) for k, p in enumerate(polygons)})
    two = merge(
        {f"w{k}": set_of(grown(p, scale), document=where) for k, p in enumerate(polygons)}
    )
    first, second = (m.label_set.annotations[0].shape for m in (one, two))
    pixels = rasterise(first, width=120, height=80)
    assert same(pixels, rasterise(grown(second, 1 / scale), width=120, height=80)) > 0.99


def test_polygons_far_apart_keep_grids_of_their_own():
    small, large = wavy(10, 10, 4, seed=2), wavy(80, 40, 30, seed=3)
    merged = merge({w: set_of(small, large) for w in "abc"})
    assert [a.shape for a in merged.label_set.annotations] == sorted(
        [small, large], key=lambda p: min(y for _, y in p.rings[0])
    )


def test_a_polygon_that_crosses_itself_is_filled_even_odd_with_a_note():
    bow = Polygon(rings=(((10, 10), (50, 50), (50, 10), (10, 50)),))
    square = Polygon(rings=(((10, 10), (50, 10), (50, 50), (10, 50)),))
    assert crosses(bow)
    assert not crosses(square)
    merged = merge({"a": set_of(bow), "b": set_of(bow)})
    assert merged.notes == (
        "2 polygons cross themselves; they are filled by the even-odd rule.",
    )


def test_an_empty_mask_does_not_count():
    merged = merge({"a": set_of(encode_mask(np.zeros((80, 120), dtype=bool)))})
    assert merged.label_set.annotations == ()
    assert merged.notes == ("1 masks have no pixel and do not count.",)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_filling_is_that_of_the_formats(seed):
    rng = np.random.default_rng(seed)
    ring = rng.uniform(-5, 35, (rng.integers(3, 9), 2))
    if seed % 2:
        ring = np.round(ring * 2) / 2  # corners on centres and sides of cells
    polygon = Polygon(rings=(tuple(map(tuple, ring.tolist())),))
    np.testing.assert_array_equal(
        fill([ring], width=30, height=25), rasterise(polygon, width=30, height=25)
    )


def test_a_square_is_outlined_by_four_corners_or_so():
    area = np.zeros((20, 30), dtype=bool)
    area[5:15, 8:22] = True
    (ring,) = outlines(area)
    assert len(ring) <= 8
    np.testing.assert_array_equal(fill([ring], width=30, height=20), area)


def test_parts_that_touch_at_a_corner_are_two():
    area = np.zeros((20, 20), dtype=bool)
    area[2:8, 2:8] = area[8:14, 8:14] = True
    assert len(outlines(area)) == 2


def test_holes_are_filled_and_specks_dropped():
    area = disc(40, 40, 20)
    area[40, 40] = False
    area[5, 5] = True
    (ring,) = outlines(area)
    assert same(fill([ring], width=120, height=80), disc(40, 40, 20)) > 0.98


def test_distances_are_from_the_middle_of_a_cell_to_the_border():
    assert signed_distance(np.array([[False, True, True, False]])).tolist() == [
        [-0.5, 0.5, 0.5, -0.5]
    ]
