"""The healthy knee: its structures are there, where anatomy puts them, and a left knee mirrors a right one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrnet_core.domain import Plane, Side
from mrnet_core.phantom import anatomy_joint as joint
from mrnet_core.phantom.acquisition_grid import Grid, draw_grid, knee_affine
from mrnet_core.phantom.anatomy import STRUCTURES, Affine, Knee, Subject, Tissue, structure_masks
from mrnet_core.phantom.anatomy_bones import femur, tibia
from mrnet_core.phantom.anatomy_shapes import (
    Z_LOW,
    Z_STEP,
    Loft,
    above,
    below,
    blob,
    capsule,
    ellipsoid,
    look_up,
    smooth_cut,
    smooth_union,
    z_index,
)
from mrnet_core.phantom.anatomy_space import IN_BONE, Space, among, from_shank, shank_frame
from mrnet_core.phantom.anatomy_texture import SEPTA, SIDE, VOXEL, tile_index, tiles

STEP = 1.5
EVERYWHERE = (slice(None), slice(None), slice(None))


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
    knee.paint(space, lambda n: EVERYWHERE)
    return space


def paint_in_windows(knee: Knee, affine: Affine, slices, whole=()) -> torch.Tensor:
    """Tissue at fractional slices, each part painted in its own window only; those of ``whole`` everywhere."""
    slices = np.asarray(slices, float)
    parts = knee.windows(affine, knee.parts)

    def at(n):
        if n in whole:
            return EVERYWHERE
        (near, far), *plane = parts[n]
        reached = np.flatnonzero((slices >= near) & (slices <= far))
        cut = [
            slice(max(int(low), 0), max(min(int(high) + 2, size), 0))
            for (low, high), size in zip(plane, affine.shape[1:], strict=True)
        ]
        if not reached.size or any(one.start >= one.stop for one in cut):
            return None
        return (slice(int(reached[0]), int(reached[-1]) + 1), *cut)

    space = Space.at(*affine.points(slices), knee.subject)
    knee.paint(space, at)
    return space.tissue


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
        found = among(painted.tissue, tissues)
        return [float(axis[found].mean()) for axis in (painted.x, painted.y, painted.z)]

    acl, pcl = centre(Tissue.ACL), centre(Tissue.PCL)
    assert acl[0] > pcl[0]
    assert pcl[1] > acl[1]
    assert centre(Tissue.MEDIAL_MENISCUS)[0] < -12
    assert centre(Tissue.LATERAL_MENISCUS)[0] > 12
    assert centre(Tissue.KNEECAP_MARROW)[1] < -38  # the knee cap is in front
    assert centre(Tissue.ARTERY)[1] > 25  # the popliteal artery behind
    assert centre(Tissue.MUSCLE)[1] > 10


@pytest.mark.parametrize(
    ("what", "box", "tissue", "share"),
    [
        ("medial collateral ligament", (-43, -36, -2, 6, -8, 6), Tissue.LIGAMENT, 0.15),
        ("iliotibial band", (38, 43, -12, -2, 10, 30), Tissue.TENDON, 0.15),
        ("lateral collateral ligament", (35, 40, 6, 16, -8, 16), Tissue.TENDON, 0.05),
        ("quadriceps tendon", (-6, 6, -50, -43, 60, 72), Tissue.TENDON, 0.3),
        ("patellar tendon", (-6, 8, -46, -34, -12, 2), Tissue.TENDON, 0.1),
        ("infrapatellar fat pad", (-8, 8, -40, -30, -8, 6), Tissue.FAT, 0.6),
        ("prefemoral fat pad", (-8, 8, -34, -29, 45, 60), Tissue.FAT, 0.6),
        ("popliteal artery", (-10, 12, 28, 42, 0, 24), Tissue.ARTERY, 0.02),
        ("popliteal vein", (-10, 14, 30, 48, 0, 24), Tissue.VEIN, 0.02),
        ("septa of the fat beneath the skin", (-20, 20, 54, 60, -20, 30), Tissue.FASCIA, 0.02),
        ("muscle behind the femur", (10, 30, 20, 36, 50, 70), Tissue.MUSCLE, 0.5),
    ],
)
def test_soft_tissues_are_where_a_textbook_has_them(painted, what, box, tissue, share):
    cut = tuple(
        slice(round((low - start) / STEP), round((high - start) / STEP) + 1)
        for low, high, start in zip(box[::2], box[1::2], (-57.0, -66.0, -60.0), strict=True)
    )
    found = (painted.tissue[cut] == int(tissue)).float().mean().item()
    assert found > share, f"{what}: {found:.3f}"


def test_skin_is_the_first_thing_beneath_the_air(painted):
    tissue = painted.tissue.numpy()
    middle = tissue[:, tissue.shape[1] // 2]
    first = [column[column != Tissue.AIR][0] for column in middle.T if column[0] == Tissue.AIR]
    assert len(first) > 50
    assert np.mean(np.array(first) == Tissue.SKIN) > 0.98


def test_menisci_lie_between_femur_and_tibia_and_thin_out_inwards(painted, subject):
    medial = painted.tissue == Tissue.MEDIAL_MENISCUS
    lower, upper = tibia(painted, subject)[medial], femur(painted, subject)[medial]
    assert (lower > -0.1).all()
    assert (upper > -0.1).all()
    middle = medial & ((painted.sy - 4).abs() < 6)
    rim = middle & (painted.x < -34)
    inner = middle & (painted.x > -30)
    assert rim.any()
    assert inner.any()
    assert np.ptp(painted.z[rim].numpy()) > np.ptp(painted.z[inner].numpy())


def test_marrow_is_wrapped_in_cortex(painted):
    marrow = among(painted.tissue, (Tissue.MARROW, Tissue.RED_MARROW)).numpy()
    outside = ~among(painted.tissue, IN_BONE).numpy()
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
    left, right = (paint_in_windows(knee, knee_affine(grid, subject, side), [0.0]) for side in (Side.LEFT, Side.RIGHT))
    assert (left == right.flip(2)).float().mean() > 0.9995
    assert (left == right).float().mean() < 0.95


def test_flexion_turns_the_shank_and_comes_back(subject):
    bent = replace(subject, flexion=12.0, drawer=-3.0)
    point = (5.0, 20.0, -40.0)
    x, y, z = from_shank(point, bent)
    assert np.allclose((x, *shank_frame(y, z, bent)), point)
    assert y > from_shank(point, replace(subject, flexion=0.0))[1]  # the foot goes back


def test_signed_distances_of_simple_shapes_are_right():
    x, y, z = (torch.tensor([value]) for value in (7.0, 0.0, 0.0))
    assert float(ellipsoid(x, y, z, (0, 0, 0), (5, 5, 5))) == pytest.approx(2.0, abs=1e-4)
    assert float(blob(x, y, z, (0, 0, 0), (5, 5, 5))) == pytest.approx(2.0, abs=1e-4)
    assert float(capsule(x, y, z, (0, -9, 0), (0, 9, 0), 2.5)) == pytest.approx(4.5, abs=1e-4)
    assert float(capsule(x, y, z, (0, -9, 0), (0, 9, 0), 2.5, (2.0, 1.0, 1.0))) == pytest.approx(1.0, abs=1e-4)
    a, b = torch.tensor([1.0]), torch.tensor([1.0])
    assert float(smooth_union(a, b, 4.0)) == pytest.approx(0.0)  # 1 - 4/4: the seam is filled
    assert float(smooth_cut(a, b, 4.0)) == pytest.approx(2.0)


@pytest.mark.parametrize(("square", "corner"), [(False, 2**0.5), (True, 3**0.25)])
def test_a_loft_keeps_its_sections_and_a_square_one_has_fuller_corners(square, corner):
    loft = Loft.through([(-50, 3, -2, 10, 10), (50, 3, -2, 10, 10)])
    x, y = torch.tensor([13.0, 3.0, 13.0]), torch.tensor([-2.0, 8.0, 8.0])
    distance = loft.distance(x, y, z_index(torch.zeros(3)), square)
    assert distance.tolist() == pytest.approx([0.0, 0.0, 10 * (corner - 1)], abs=1e-4)


def test_tables_are_read_at_the_height_asked_for_and_held_at_their_ends():
    heights = torch.tensor([Z_LOW - 40, Z_LOW, 0.0, 12.3, 999.0])
    rows = z_index(heights)
    assert rows.tolist()[:3] == [0, 0, round(-Z_LOW / Z_STEP)]
    assert rows[3] == int((12.3 - Z_LOW) / Z_STEP)
    assert look_up(torch.arange(2000.0), rows).tolist() == rows.tolist()


def test_comparing_and_painting_in_bytes_does_what_plain_operators_do(painted):
    values = torch.tensor([[-1.0, -0.0, 0.0, 1e-30, 2.0, float("inf")]])
    assert below(values, 0).tolist() == (values < 0).tolist()
    assert above(values, 0).tolist() == (values > 0).tolist()
    assert below(values, -values).tolist() == (values < -values).tolist()
    space = Space(**{**vars(painted), "tissue": torch.arange(33, dtype=torch.uint8).reshape(1, 3, 11)})
    for tissues in (IN_BONE, (Tissue.AIR,), (Tissue.FILM, Tissue.AIR, Tissue.SKIN), (Tissue.ACL, Tissue.FLUID)):
        assert space.among(tissues).flatten().nonzero().flatten().tolist() == sorted(tissues)
    where = space.tissue % 5 == 2
    expected = torch.where(where, int(Tissue.FILM), space.tissue)
    space.put(where, Tissue.FILM)
    assert torch.equal(space.tissue, expected)


def test_a_crop_paints_into_the_whole():
    subject = Subject.draw(np.random.Generator(np.random.Philox(1)), 30, "F")
    x = torch.linspace(0, 9, 60).reshape(3, 4, 5)
    space = Space.at(x, x, x, subject)
    space.crop((slice(1, 2), slice(2, 4), slice(0, 3))).put(torch.ones(1, 2, 3, dtype=torch.bool), Tissue.FAT)
    assert int((space.tissue == Tissue.FAT).sum()) == 6
    assert (space.tissue[1, 2:4, 0:3] == Tissue.FAT).all()


def test_texture_is_read_by_place_and_repeats_every_tile(painted):
    x, y, z = (torch.tensor([value]) for value in (3.1, -20.4, 55.0))
    index = [(int(np.floor(float(v) / VOXEL)) + 5) % SIDE for v in (z, y, x)]
    assert int(tile_index(x, y, z, (5, 5, 5))) == (index[0] * SIDE + index[1]) * SIDE + index[2]
    assert torch.equal(tile_index(x + SIDE * VOXEL, y, z, (5, 5, 5)), tile_index(x, y, z, (5, 5, 5)))
    expected = tiles().numpy()[SEPTA * SIDE**3 + painted.voxel[:3].numpy()]
    assert np.array_equal(painted.crop((slice(0, 3), slice(None), slice(None))).texture(SEPTA).numpy(), expected)


def test_points_of_an_affine_are_its_origin_and_steps():
    g = np.random.default_rng(0)
    affine = Affine(g.normal(0, 9, 3), g.normal(0, 1, (3, 3)), (4, 5, 6))
    jitter = g.uniform(-1, 1, (2, 5, 6)).astype(np.float32)
    found = torch.stack(affine.points(np.array([0.5, 3.0]), jitter), dim=-1)
    k, i, j = np.meshgrid([0.5, 3.0], np.arange(5), np.arange(6), indexing="ij")
    expected = affine.origin + np.stack([k + jitter, i, j], axis=-1) @ affine.steps
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), expected, atol=1e-4)


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
    affine = _scan(plane, subject)
    middle = [affine.shape[0] / 2]
    # Not the bellies, whose distance tells their neighbours where the fat between them lies; not the two bands of
    # ligament, which end where their boxes do.
    endless = (joint.MCL_BOX, joint.ITB_BOX)
    closed = [n for n, part in enumerate(knee.parts) if n >= len(knee.groups["bellies"]) and part.box not in endless]
    assert torch.equal(paint_in_windows(knee, affine, middle), paint_in_windows(knee, affine, middle, closed))


@pytest.mark.parametrize("plane", Plane)
def test_a_series_painted_at_once_is_the_one_painted_slice_by_slice(plane, knee):
    affine = _scan(plane, knee.subject)
    slices = np.arange(0, affine.shape[0], 0.75)
    at_once = paint_in_windows(knee, affine, slices)
    one_by_one = torch.cat([paint_in_windows(knee, affine, [k]) for k in slices])
    assert torch.equal(at_once, one_by_one)
    assert len(at_once.unique()) > 15


def test_painting_never_waits_for_the_device_nor_leaves_it(knee):
    """torch's meta device holds no values: whatever reads one back, or mixes in another device, fails there."""
    affine = _scan(Plane.SAGITTAL, knee.subject)
    space = Space.at(*affine.points(np.arange(4.0), device="meta"), knee.subject)
    knee.paint(space, lambda n: EVERYWHERE)
    assert space.tissue.shape == (4, *affine.shape[1:])
    assert {mask.device.type for mask in structure_masks(space.tissue, space.tissue).values()} == {"meta"}


def _scan(plane: Plane, subject: Subject) -> Affine:
    return knee_affine(draw_grid(np.random.Generator(np.random.Philox(3)), plane, "small"), subject, Side.LEFT)
