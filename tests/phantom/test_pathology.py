"""Lesions: labels by the paper's definitions, masks where they belong, records that match what is painted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from mrnet_core.domain import Task
from mrnet_core.phantom.anatomy import Affine, Knee, Subject, Tissue
from mrnet_core.phantom.anatomy_joint import acl_axis
from mrnet_core.phantom.pathology import (
    ACL_GRADES,
    HARD_NEGATIVES,
    KINDS,
    LESION_CHANNELS,
    MENISCUS_GRADES,
    OTHER,
    PATHOLOGIES,
    Lesion,
    draw_lesions,
    labels_of,
    moved_along,
)
from mrnet_core.phantom.pathology_meniscus import SKIN
from mrnet_core.phantom.pathology_paint import LEAST_TEAR, Painter, measure, seated

STEP = 0.5


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


@pytest.fixture(scope="module")
def knee() -> Knee:
    drawn = Subject.draw(generator(4), 30, "M")
    return Knee(replace(drawn, offset=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), scale=1.0, breadth=1.0, flexion=4.0))


def lesion_of(kind: str, grade: str = "", seed: int = 0, severity: float | None = None) -> Lesion:
    """The first lesion of a kind and grade drawn from seeds counting up."""
    for n in range(seed * 1000, seed * 1000 + 400):
        (lesion,) = draw_lesions(generator(n), kind)
        if grade in ("", lesion.grade):
            return lesion if severity is None else replace(lesion, severity=severity)
    raise AssertionError(f"no {grade} {kind} drawn")


def painted(knee: Knee, lesion: Lesion, box, step: float = STEP):
    """Healthy tissue, tissue with the lesion, and its mask, on a lattice (sagittal: x, z, y) over a box."""
    x0, x1, y0, y1, z0, z1 = box
    shape = (int((x1 - x0) / step), int((z1 - z0) / step), int((y1 - y0) / step))
    steps = np.array([[step, 0, 0], [0, 0, -step], [0, step, 0]])
    painter = Painter(Affine(np.array([x0, y0, z1], float), steps, shape), knee, (lesion,))
    space, masks, healthy = painter.paint(np.arange(shape[0]), np.zeros(1), keep_healthy=True)
    mask = np.zeros(shape, bool)
    if masks[0] is not None:
        window, where = masks[0]
        mask[window] = where.numpy()
    return healthy.numpy(), space.tissue.numpy(), mask


NOTCH = (-14, 20, -22, 30, -12, 30)
MEDIAL, LATERAL = (-46, -1, -20, 34, -12, 12), (1, 46, -20, 34, -12, 12)


def test_labels_follow_the_papers_definitions():
    def labels(*kinds):
        return labels_of(tuple(lesion_of(kind) for kind in kinds))

    assert labels() == {Task.ABNORMAL: False, Task.ACL: False, Task.MENISCUS: False}
    assert labels("acl tear") == {Task.ABNORMAL: True, Task.ACL: True, Task.MENISCUS: False}
    assert labels("meniscal tear", "effusion") == {Task.ABNORMAL: True, Task.ACL: False, Task.MENISCUS: True}
    for kind in (*HARD_NEGATIVES[Task.ACL], *HARD_NEGATIVES[Task.MENISCUS], *OTHER):
        assert labels(kind) == {Task.ABNORMAL: True, Task.ACL: False, Task.MENISCUS: False}


@pytest.mark.parametrize(
    ("pathology", "wanted"),
    [
        ("normal", (False, False, False)),
        ("acl", (True, True, False)),
        ("meniscus", (True, False, True)),
        ("both", (True, True, True)),
        ("other", (True, False, False)),
    ],
)
def test_a_wanted_combination_of_labels_is_always_met(pathology, wanted):
    assert pathology in PATHOLOGIES
    for n in range(150):
        labels = labels_of(draw_lesions(generator(n), pathology, age=20 + n % 60))
        assert tuple(labels[task] for task in (Task.ABNORMAL, Task.ACL, Task.MENISCUS)) == wanted


def test_hard_negatives_of_each_kind_are_among_the_other_abnormal_exams():
    kinds = {lesion.type for n in range(400) for lesion in draw_lesions(generator(n), "other")}
    assert kinds == set(KINDS) - {"acl tear", "meniscal tear"}


def test_tears_come_in_every_grade_by_their_shares_and_mostly_medial():
    acl = [lesion_of("acl tear", seed=n).grade for n in range(300)]
    menisci = [lesion_of("meniscal tear", seed=n) for n in range(300)]
    for grade, share in ACL_GRADES.items():
        assert acl.count(grade) / 300 == pytest.approx(share, abs=0.08)
    assert {lesion.grade for lesion in menisci} == set(MENISCUS_GRADES)
    assert 0.6 < np.mean([lesion.place.startswith("medial") for lesion in menisci]) < 0.78


def test_contusion_and_effusion_keep_company_with_the_acl_but_give_no_tear_away():
    def share(kind, pathology):
        drawn = [draw_lesions(generator(n), pathology) for n in range(300)]
        return np.mean([any(lesion.type == kind for lesion in lesions) for lesions in drawn])

    for kind in ("contusion", "effusion"):
        assert 0.25 < share(kind, "acl") < 0.8
        assert share(kind, "normal") == 0
        assert share(kind, "acl") > share(kind, "meniscus") - 0.05
        assert share(kind, "other") > 0.15


def test_every_lesion_has_a_channel_and_words():
    for kind in KINDS:
        lesion = lesion_of(kind)
        assert lesion.channel in LESION_CHANNELS
        assert kind in lesion.words()
        assert lesion.place in lesion.words()
        assert 0 <= lesion.severity <= 1
    assert lesion_of("acl sprain").channel == "hard negative acl"
    assert lesion_of("post-surgical meniscus").channel == "hard negative meniscus"
    assert lesion_of("effusion").channel == "other lesion"


@pytest.mark.parametrize("grade", ACL_GRADES)
def test_an_acl_tear_touches_its_ligament(knee, grade):
    healthy, torn, mask = painted(knee, lesion_of("acl tear", grade), NOTCH)
    ligament = healthy == Tissue.ACL
    assert mask.any()
    assert (mask & ligament).sum() > 0.2 * mask.sum()
    share = (mask & ligament & (torn != Tissue.ACL)).sum() / ligament.sum()
    if grade == "low-grade partial":
        assert share < 0.5  # under half the fibres
    assert ndimage.binary_dilation(ligament, iterations=12)[mask].all()  # within 6 mm of it


def torn_share(knee: Knee, lesion: Lesion) -> float:
    """Greatest share of the ligament's fibres that is torn, over levels of 2 mm along it."""
    healthy, torn, _ = painted(knee, lesion, NOTCH)
    ligament = healthy == Tissue.ACL
    femoral, tibial = acl_axis(knee.subject)
    x0, _, y0, _, _, z1 = NOTCH
    slices, rows, columns = np.indices(ligament.shape) * STEP
    points = np.stack([x0 + slices, y0 + columns, z1 - rows], axis=-1)
    along = (points - femoral) @ (tibial - femoral) / np.linalg.norm(tibial - femoral)
    levels = np.floor(along[ligament] / 2).astype(int)
    gone = np.bincount(levels[levels >= 0], (torn != Tissue.ACL)[ligament][levels >= 0])
    fibres = np.bincount(levels[levels >= 0])
    usual = fibres > 0.4 * np.median(fibres)
    return float((gone[usual] / fibres[usual]).max())


@pytest.mark.parametrize("grade", ACL_GRADES)
def test_the_grade_of_an_acl_tear_is_the_share_of_fibres_torn(knee, grade):
    low, high = {"low-grade partial": (0.1, 0.5), "high-grade partial": (0.5, 0.97), "complete": (0.99, 1.0)}[grade]
    for seed in range(6):
        lesion = lesion_of("acl tear", grade, seed=seed)
        assert low <= torn_share(knee, lesion) <= high, lesion


@pytest.mark.parametrize("grade", MENISCUS_GRADES)
def test_a_meniscal_tear_touches_its_meniscus_and_reaches_its_surface_on_two_slices(knee, grade):
    lesion = lesion_of("meniscal tear", grade)
    box = MEDIAL if lesion.place.startswith("medial") else LATERAL
    healthy, torn, mask = painted(knee, lesion, box)
    own = Tissue.MEDIAL_MENISCUS if lesion.place.startswith("medial") else Tissue.LATERAL_MENISCUS
    body = healthy == own
    assert (mask & body).any()
    outside = ~body
    bright = body & np.isin(torn, (Tissue.TEAR, Tissue.FLUID, Tissue.DEGENERATION))
    reaching = bright & ndimage.binary_dilation(outside)
    thick = int(4 / STEP)  # a slice of 4 mm
    slices = max(
        sum(reaching.take(range(n, n + thick), axis).any() for n in range(0, reaching.shape[axis] - thick, thick))
        for axis in (0, 2)  # sagittal or coronal
    )
    assert slices >= 2


def volume_of(lesion: Lesion, knee: Knee) -> float:
    return measure(lesion, (lesion,), knee, step=0.8)


def test_no_meniscal_tear_is_hardly_painted():
    """The smallest ones: radial and subtle; and those of the lateral anterior horn, where the condyle leaves little."""
    drawn = [draw_lesions(generator(n), "meniscal tear")[0] for n in range(1500)]
    forward = [lesion for lesion in drawn if lesion.place == "lateral meniscus, anterior horn"]
    subtle = sorted((one for one in drawn if one.grade == "radial"), key=lambda lesion: lesion.severity)
    assert len(forward) > 15
    for n, lesion in enumerate([*forward[:15], *subtle[:12]]):
        knee = Knee(Subject.draw(generator(n), 30, "FM"[n % 2]))
        tear = seated(lesion, knee)
        found = volume_of(tear, knee)
        if found < LEAST_TEAR:  # the most subtle: then no place within reach has more
            assert found == max(volume_of(moved_along(lesion, degrees), knee) for degrees in range(-32, 33, 8)), tear
        assert found > 18, tear
        assert tear == lesion or tear.where[0] != lesion.where[0]


@pytest.mark.parametrize("severity", [0.1, 0.9])
def test_degeneration_within_the_meniscus_reaches_no_surface(knee, severity):
    lesion = lesion_of("intrasubstance degeneration", severity=severity)
    box = MEDIAL if lesion.place.startswith("medial") else LATERAL
    healthy, _, mask = painted(knee, lesion, box)
    body = np.isin(healthy, (Tissue.MEDIAL_MENISCUS, Tissue.LATERAL_MENISCUS))
    assert mask.any()
    depth = ndimage.distance_transform_edt(body) * STEP
    assert depth[mask].min() > SKIN * 0.9 - STEP / 2  # at most half a voxel of the lattice less
    assert depth[mask].min() > STEP  # never in the layer that touches another tissue


def test_a_post_surgical_meniscus_is_smaller(knee):
    lesion = lesion_of("post-surgical meniscus", severity=0.8)
    own, box = (
        (Tissue.MEDIAL_MENISCUS, MEDIAL) if lesion.place.startswith("medial") else (Tissue.LATERAL_MENISCUS, LATERAL)
    )
    healthy, after, _ = painted(knee, lesion, box)
    assert (after == own).sum() < 0.95 * (healthy == own).sum()


@pytest.mark.parametrize(
    "kind", ["acl tear", "meniscal tear", "acl ganglion", "contusion", "popliteal cyst", "pcl tear"]
)
def test_the_records_volume_is_what_is_painted(knee, kind):
    lesion = lesion_of(kind, severity=0.7)
    recorded = measure(lesion, (lesion,), knee)
    assert recorded > 0
    assert recorded == pytest.approx(measure(lesion, (lesion,), knee, step=0.75), rel=0.12)


def test_a_larger_knee_has_a_larger_lesion(knee):
    lesion = lesion_of("acl ganglion", severity=0.7)
    large = Knee(replace(knee.subject, scale=1.1))
    assert measure(lesion, (lesion,), large) == pytest.approx(1.1**3 * measure(lesion, (lesion,), knee), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_lesion_paints_something(knee, kind):
    lesion = lesion_of(kind, seed=3, severity=0.8)
    assert measure(lesion, (lesion,), knee, step=1.2) > 5


def test_marrow_lesions_stay_in_bone_and_soft_ones_out_of_it(knee):
    from_bone = (Tissue.MARROW, Tissue.RED_MARROW, Tissue.SCLEROSIS, Tissue.KNEECAP_MARROW)
    healthy, _, mask = painted(knee, lesion_of("contusion"), (-46, 46, -56, 34, -36, 40), step=1.5)
    assert np.isin(healthy[mask], from_bone).all()
    healthy, _, mask = painted(knee, lesion_of("effusion"), (-46, 46, -50, 44, -14, 80), step=1.5)
    assert mask.any()
    assert not np.isin(healthy[mask], (*from_bone, Tissue.CORTEX, Tissue.CARTILAGE)).any()
