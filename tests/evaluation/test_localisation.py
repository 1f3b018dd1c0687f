"""Heatmap grades: hand-made maps whose grade is known, and the references they are held against."""

import json
import math

import numpy as np
import pytest

from mrnet_core.domain import InputError, Plane, Task
from mrnet_core.evaluation.localisation import build_case, grade, hot_spot, over_draws
from mrnet_core.evaluation.scene import Lesion, build_scene, hit_cells, knee_cells
from mrnet_core.models import upsample_cam
from mrnet_core.stats import wilson

TEAR = Lesion("acl tear", "complete", 0.9, "acl")
SUBTLE = Lesion("acl tear", "low-grade partial", 0.1, "acl")
MENISCUS = Lesion("meniscal tear", "radial", 0.5, "meniscus")
SLICES = 6


def picture(slices=SLICES):
    """A knee that fills columns 64 to 191, in noise."""
    stack = np.random.default_rng(0).integers(0, 12, (slices, 256, 256)).astype(np.uint8)
    stack[:, :, 64:192] = 120
    return stack


def blob(k, y, x, size=4, slices=SLICES):
    mask = np.zeros((slices, 256, 256), bool)
    mask[k, y : y + size, x : x + size] = True
    return mask


def spot(k, row, column, slices=SLICES, height=5.0):
    cam = np.full((slices, 7, 7), -1.0, np.float32)
    cam[k, row, column] = height
    return cam


def case(exam, cam, lesions, probability=0.9, task=Task.ACL, slices=SLICES):
    return build_case(task, cam, probability, build_scene(exam, Plane.SAGITTAL, lesions, picture(slices)))


def test_a_cell_hits_within_36_pixels_of_the_lesion_in_the_same_slice_and_no_further():
    mask = np.zeros((3, 256, 256), bool)
    mask[1, 95, 95 + 36] = True  # cell (2, 2) is centred on (95, 95), cell (2, 3) on (95, 127)
    hits = hit_cells(mask)
    assert hits[1, 2, 2]
    assert hits[1, 2, 3]
    assert not hits[[0, 2]].any()
    mask[1, 95, 95 + 36], mask[1, 95, 95 + 37] = False, True
    assert not hit_cells(mask)[1, 2, 2]


def test_hit_cells_equal_the_distances_written_out():
    rng = np.random.default_rng(3)
    mask = rng.random((2, 256, 256)) < 0.0002
    hits = hit_cells(mask)
    for k in range(2):
        ys, xs = np.nonzero(mask[k])
        for i in range(7):
            for j in range(7):
                nearest = np.hypot(ys - (31 + 32 * i), xs - (31 + 32 * j)).min()
                assert hits[k, i, j] == (nearest <= 36)


def test_the_hot_spot_is_the_hottest_cell_of_the_hottest_slice():
    cam = np.random.default_rng(0).normal(size=(5, 7, 7)).astype(np.float32)
    cam[3, 4, 6] = 9
    assert hot_spot(cam) == (3, 4, 6)
    assert hot_spot(np.zeros((2, 7, 7), np.float32)) == (0, 0, 0)


def test_knee_cells_are_those_with_knee_in_them_and_not_the_noise_around():
    cells = knee_cells(picture())
    assert cells[:, :, 2:5].all()  # centres 95, 127, 159
    assert not cells[:, :, [0, 6]].any()
    assert not knee_cells(np.zeros((1, 256, 256), np.uint8)).any()


def test_a_spot_on_the_lesion_is_a_hit_and_one_elsewhere_is_not():
    cases = [
        case("a", spot(2, 3, 3), [(TEAR, blob(2, 125, 125))]),
        case("b", spot(2, 3, 3), [(TEAR, blob(2, 125, 125))], probability=0.2),
        case("c", spot(2, 0, 3), [(TEAR, blob(2, 125, 125))]),  # right slice, wrong place
        case("d", spot(4, 3, 3), [(TEAR, blob(2, 125, 125))]),  # right place, wrong slice
    ]
    whole = grade(cases)[0]
    assert (whole.by, whole.plane, whole.task, whole.n) == ("all", Plane.SAGITTAL, Task.ACL, 4)
    assert (whole.pointing.x, whole.right_slice.x) == (2, 3)
    assert (whole.pointing.lower, whole.pointing.upper) == (wilson(2, 4).lower, wilson(2, 4).upper)
    assert (whole.called, whole.called_elsewhere.x) == (3, 2)


def test_chance_is_the_share_of_knee_cells_and_of_slices_that_hit():
    one = case("a", spot(2, 3, 3), [(TEAR, blob(2, 127, 127, size=1))])
    whole = grade([one])[0]
    # cells within 36 of (127, 127): itself and its four neighbours at 32; diagonals lie at 45
    assert whole.pointing_chance == pytest.approx(5 / one.knee.sum())
    assert whole.right_slice_chance == pytest.approx(1 / SLICES)


def test_a_blind_network_scores_what_chance_says():
    rng = np.random.default_rng(5)
    lesion = [(TEAR, blob(2, 120, 110, size=30) | blob(3, 120, 110, size=30))]
    knee = np.argwhere(knee_cells(picture()))
    cases = [case(str(n), spot(*knee[rng.integers(len(knee))]), lesion) for n in range(90)]
    whole = grade(cases)[0]
    assert whole.pointing.lower < whole.pointing_chance < whole.pointing.upper
    assert whole.pointing_chance > 0.05


def test_a_network_that_always_points_to_one_place_is_no_better_than_the_prior():
    lesions = [blob(2, 125, 125), blob(2, 125, 125), blob(2, 30, 125), blob(2, 125, 125)]
    same = grade([case(str(n), spot(2, 3, 3), [(TEAR, mask)]) for n, mask in enumerate(lesions)])[0]
    assert same.pointing.estimate == 0.75
    assert same.pointing_prior == pytest.approx(0.75)
    # one that looks: each hits its own, and the odd one out hits no other's
    looks = [spot(2, 3, 3), spot(2, 3, 3), spot(2, 0, 3), spot(2, 3, 3)]
    seeing = grade([case(str(n), looks[n], [(TEAR, mask)]) for n, mask in enumerate(lesions)])[0]
    assert seeing.pointing.estimate == 1.0
    assert seeing.pointing_prior == pytest.approx((2 + 2 + 0 + 2) / 12)
    assert math.isnan(grade([case("a", spot(2, 3, 3), [(TEAR, blob(2, 125, 125))])])[0].pointing_prior)


def test_the_fixed_place_is_chosen_on_the_other_exams_and_tested_on_the_exams_own():
    common, odd = blob(2, 125, 125), blob(2, 30, 125)
    cases = [case(str(n), spot(0, 0, 0), [(TEAR, mask)]) for n, mask in enumerate([common, common, odd, common])]
    assert grade(cases)[0].pointing_fixed == 0.75  # the odd one out is missed, wherever the network points
    # Two exams, each with a place of its own: what the other one says misses both.
    assert grade([cases[0], cases[2]])[0].pointing_fixed == 0
    assert math.isnan(grade(cases[:1])[0].pointing_fixed)
    # A place is a relative depth: slice 1 of 4 is slice 4 of 12.
    short = case("a", spot(0, 0, 0, slices=4), [(TEAR, blob(1, 125, 125, slices=4))], slices=4)
    long = case("b", spot(0, 0, 0, slices=12), [(TEAR, blob(4, 125, 125, slices=12))], slices=12)
    assert grade([short, long])[0].record()["pointing_fixed"] == 0.5


def test_the_prior_takes_the_slice_at_the_same_relative_depth():
    short = case("a", spot(1, 3, 3, slices=4), [(TEAR, blob(1, 125, 125, slices=4))], slices=4)
    long = case("b", spot(9, 3, 3, slices=12), [(TEAR, blob(4, 125, 125, slices=12))], slices=12)
    # slice 1 of 4 is at depth 0.375: slice 4 of 12, where b's lesion lies; 9 of 12 is slice 3 of 4, where a's does not
    assert grade([short, long])[0].pointing_prior == 0.5


def test_energy_is_the_maps_share_above_zero_inside_the_lesion():
    cam = spot(2, 3, 3)
    mask = blob(2, 100, 100, size=56)
    whole = grade([case("a", cam, [(TEAR, mask)]), case("b", cam, [(TEAR, mask)])])[0]
    warm = np.maximum(upsample_cam(cam), 0)
    assert whole.energy == pytest.approx(float(warm[mask].sum() / warm.sum()))
    knee = picture() > 100
    assert whole.energy_chance == pytest.approx(mask.sum() / knee.sum())
    assert whole.energy > 20 * whole.energy_chance
    assert whole.energy_gain.estimate == pytest.approx(whole.energy - whole.energy_chance)


def test_a_map_without_a_value_above_zero_has_no_energy_and_says_so():
    dark = np.full((SLICES, 7, 7), -1, np.float32)
    cases = [case("a", dark, [(TEAR, blob(2, 125, 125))])]
    record = grade(cases)[0].record()
    assert record["energy"] is None
    assert record["energy_n"] == 0
    assert record["n"] == 1
    assert record["note"]
    json.dumps(record, allow_nan=False)


def test_groups_are_held_against_their_own_lesions_only():
    both = [(TEAR, blob(2, 125, 125)), (MENISCUS, blob(4, 60, 125)), (SUBTLE, np.zeros((SLICES, 256, 256), bool))]
    grades = {
        (one.task, one.by, one.group): one
        for task in Task
        for one in grade([case("a", spot(4, 1, 3), both, task=task)])
    }
    assert grades[Task.ACL, "all", "all"].pointing.x == 0
    assert grades[Task.MENISCUS, "all", "all"].pointing.x == 1
    assert grades[Task.ABNORMAL, "all", "all"].pointing.x == 1
    assert grades[Task.ABNORMAL, "type", "acl tear"].pointing.x == 0
    assert grades[Task.ABNORMAL, "type", "meniscal tear"].pointing.x == 1
    assert grades[Task.ACL, "severity", "plain"].n == 1
    subtle = grades[Task.ACL, "severity", "subtle"]
    assert (subtle.n, subtle.not_visible) == (0, 1)
    assert math.isnan(subtle.pointing.estimate)
    assert grades[Task.ACL, "grade", "acl tear, complete"].n == 1
    assert [key[2] for key in grades if key[:2] == (Task.ACL, "severity")] == ["subtle", "plain"]


def test_an_exam_without_the_finding_is_no_case():
    assert case("a", spot(2, 3, 3), [(MENISCUS, blob(2, 125, 125))], task=Task.ACL) is None
    assert case("a", spot(2, 3, 3), [], task=Task.ABNORMAL) is None
    assert grade([]) == ()


def test_records_are_plain_json_with_the_networks_name():
    records = [one.record() for one in grade([case("a", spot(2, 3, 3), [(TEAR, blob(2, 125, 125))])], "untrained")]
    assert {record["network"] for record in records} == {"untrained"}
    assert [record["group"] for record in records] == ["all", "acl tear", "plain", "acl tear, complete"]
    json.dumps(records, allow_nan=False)


def test_draws_are_one_record_a_group_with_their_mean_and_range():
    lesions = [(TEAR, blob(2, 125, 125))]
    here, elsewhere, cold = spot(2, 3, 3), spot(4, 0, 0), np.full((SLICES, 7, 7), -1.0, np.float32)
    draws = [grade([case("a", cam, lesions)], "untrained") for cam in (here, elsewhere, cold, elsewhere)]
    records = over_draws(draws)
    assert [record["group"] for record in records] == ["all", "acl tear", "plain", "acl tear, complete"]
    first = records[0]
    assert (first["network"], first["n"], first["draws"]) == ("untrained", 1, 4)
    assert (first["pointing"], first["pointing_lowest"], first["pointing_highest"]) == (0.25, 0.0, 1.0)
    energies = [draws[0][0].energy, draws[1][0].energy, draws[3][0].energy]  # the cold map has none
    assert first["energy"] == pytest.approx(np.mean(energies))
    assert (first["energy_lowest"], first["energy_highest"]) == (0.0, max(energies))
    json.dumps(records, allow_nan=False)
    nothing = over_draws([grade([case("a", cold, lesions)], "untrained")])[0]
    assert nothing["energy"] is nothing["energy_lowest"] is nothing["energy_highest"] is None
    with pytest.raises(ValueError, match="other cases"):
        over_draws([draws[0], grade([case("a", here, lesions), case("b", here, lesions)], "untrained")])


def test_arrays_that_do_not_belong_together_are_named():
    with pytest.raises(InputError, match="exam a, sagittal: the heatmap has 5 slices, the picture 6"):
        case("a", spot(2, 3, 3, slices=5), [(TEAR, blob(2, 125, 125))])
    with pytest.raises(InputError, match="the mask has 4 slices"):
        case("a", spot(2, 3, 3), [(TEAR, blob(2, 125, 125, slices=4))])
    with pytest.raises(InputError, match=r"must be \(s, 256, 256\)"):
        hit_cells(np.zeros((2, 8, 8), bool))
