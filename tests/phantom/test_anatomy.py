"""The healthy knee: its structures are there, where anatomy puts them, and a left knee mirrors a right one."""

from dataclasses import replace

import numpy as np
import pytest

from mrnet_core.domain import Plane, Side
from mrnet_core.phantom.acquisition import Grid, Painter, draw_grid
from mrnet_core.phantom.acquisition_grid import knee_affine
from mrnet_core.phantom.anatomy import STRUCTURES, Affine, Knee, Subject, Tissue, structure_masks
from mrnet_core.phantom.anatomy_bones import femur, tibia
from mrnet_core.phantom.anatomy_shapes import blob, capsule, ellipsoid, smooth_cut, smooth_union
from mrnet_core.phantom.anatomy_space import IS_BONE, Space, from_shank, shank_frame

STEP = 1.5


@pytest.fixture(scope="module")
def subject() -> Subject:
    drawn = Subject.draw(np.random.Generator(np.random.Philox(4)), 30, "M")
    return replace(drawn, offset=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), scale=1.0, breadth=1.0)


@pytest.fixture(scope="module")
def knee(subject) -> Knee:
    return Knee(subject)


@pytest.fixture(scope="module")
def painted(knee) -> Space:
    """The knee on a lattice of 1.5 mm, axes (x, y, z), without windows."""
    shape = (76, 86, 90)
    affine = Affine(np.array([-57.0, -66.0, -60.0]), np.eye(3) * STEP, shape)
    space = Space.at(*affine.points(np.arange(shape[0])), knee.subject)
    knee.paint(space, lambda n: (slice(None), slice(None)))
    return space


def test_every_structure_is_there_and_of_a_believable_volume(painted):
    masks = structure_masks(painted.tissue, painted.tissue)
    assert tuple(masks) == STRUCTURES
    volumes = {name: float(mask.sum()) * STEP**3 / 1000 for name, mask in masks.items()}  # ml
    for name, low, high in (
        ("acl", 0.6, 3.5),
        ("pcl", 1.0, 5.0),
        ("medial meniscus", 0.8, 5.0),
        ("lateral meniscus", 0.7, 5.0),
        ("cartilage", 8.0, 40.0),
        ("patella", 6.0, 28.0),
        ("bone", 150.0, 420.0),
    ):
        assert low < volumes[name] < high, (name, volumes[name])


def test_structures_lie_where_anatomy_puts_them(painted):
    def centre(*tissues):
        found = np.isin(painted.tissue, tissues)
        return np.array([painted.x[found].mean(), painted.y[found].mean(), painted.z[found].mean()])

    acl, pcl = centre(Tissue.ACL), centre(Tissue.PCL)
    assert acl[0] > pcl[0]
    assert pcl[1] > acl[1]
    assert centre(Tissue.MEDIAL_MENISCUS)[0] < -12
    assert centre(Tissue.LATERAL_MENISCUS)[0] > 12
    assert centre(Tissue.KNEECAP_MARROW)[1] < -38  # the knee cap is in front
    assert centre(Tissue.ARTERY)[1] > 25  # the popliteal artery behind
    assert centre(Tissue.MUSCLE)[1] > 10


def test_menisci_lie_between_femur_and_tibia_and_thin_out_inwards(painted, subject):
    medial = painted.tissue == Tissue.MEDIAL_MENISCUS
    lower, upper = tibia(painted, subject)[medial], femur(painted, subject)[medial]
    assert (lower > -0.1).all()
    assert (upper > -0.1).all()
    rim = medial & (painted.x < -31)
    inner = medial & (painted.x > -26) & (np.abs(painted.sy - 4) < 6)
    if inner.any():
        assert np.ptp(painted.z[rim]) > np.ptp(painted.z[inner])


def test_marrow_is_wrapped_in_cortex(painted):
    marrow = np.isin(painted.tissue, (Tissue.MARROW, Tissue.RED_MARROW))
    outside = ~IS_BONE[painted.tissue]
    touching = 0
    for axis in range(3):
        touching += int((np.diff(marrow.astype(np.int8), axis=axis) != 0).sum())
    bare = sum(
        int((marrow.take(range(marrow.shape[a] - 1), a) & outside.take(range(1, marrow.shape[a]), a)).sum())
        for a in range(3)
    )
    assert bare < 0.12 * touching  # a shell of 1.1 mm on a lattice of 1.5 mm leaves some gaps


def test_a_left_knee_is_the_mirror_of_a_right_one(subject):
    knee = Knee(subject)
    grid = Grid((-60.0, 2.0, 60.0), (0, 1, 0), (0, 0, -1), (1, 0, 0), (3.0, 1.0, 1.0), (1, 121, 121), 3.0)
    at = np.array([0.0])
    left = Painter(knee_affine(grid, subject, Side.LEFT), knee, ()).slice(0, at)[0]
    right = Painter(knee_affine(grid, subject, Side.RIGHT), knee, ()).slice(0, at)[0]
    assert (left.tissue == right.tissue[:, :, ::-1]).mean() > 0.9995
    assert (left.tissue == right.tissue).mean() < 0.95


def test_flexion_turns_the_shank_and_comes_back(subject):
    bent = replace(subject, flexion=12.0, drawer=-3.0)
    point = (5.0, 20.0, -40.0)
    x, y, z = from_shank(point, bent)
    assert np.allclose((x, *shank_frame(y, z, bent)), point)
    assert y > from_shank(point, replace(subject, flexion=0.0))[1]  # the foot goes back


def test_signed_distances_of_simple_shapes_are_right():
    x, y, z = (np.float32([value]) for value in (7.0, 0.0, 0.0))
    assert ellipsoid(x, y, z, (0, 0, 0), (5, 5, 5))[0] == pytest.approx(2.0, abs=1e-4)
    assert blob(x, y, z, (0, 0, 0), (5, 5, 5))[0] == pytest.approx(2.0, abs=1e-4)
    assert capsule(x, y, z, (0, -9, 0), (0, 9, 0), 2.5)[0] == pytest.approx(4.5, abs=1e-4)
    a, b = np.float32([1.0]), np.float32([1.0])
    assert smooth_union(a, b, 4.0)[0] == pytest.approx(0.0)  # 1 - 4/4: the seam is filled
    assert smooth_cut(a, b, 4.0)[0] == pytest.approx(2.0)


def test_age_and_sex_shape_the_knee():
    def mean(field, age, sex):
        draws = [Subject.draw(np.random.Generator(np.random.Philox([n, 1])), age, sex) for n in range(60)]
        return np.mean([getattr(one, field) for one in draws])

    assert mean("scale", 40, "F") < mean("scale", 40, "M") - 0.04
    assert mean("cartilage", 75, "M") < mean("cartilage", 20, "M")
    assert mean("streaks", 75, "M") > mean("streaks", 20, "M")


@pytest.mark.parametrize("plane", Plane)
def test_a_window_of_a_structure_holds_all_of_it(plane, subject):
    """Structures are computed in their windows only: one that were too small would cut them off at its edge."""
    knee = Knee(subject)
    grid = draw_grid(np.random.Generator(np.random.Philox(3)), plane, "small")
    affine = knee_affine(grid, subject, Side.LEFT)
    painter, whole = Painter(affine, knee, ()), Painter(affine, knee, ())
    middle = np.array([grid.shape[0] / 2])
    for part in (slice(-9, None),):  # the cords of ligament and tendon, last in the list
        whole._parts = whole._parts.copy()
        whole._parts[part] = [[-99, 999]] * 3
    assert (painter.slice(0, middle)[0].tissue == whole.slice(0, middle)[0].tissue).all()
