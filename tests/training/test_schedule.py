import pytest

from mrnet_core.training.schedule import FLOOR, rate


def test_the_warm_up_rises_in_even_steps_to_the_peak():
    assert [rate(step, 100, 8.0, 4, "constant") for step in range(6)] == [2.0, 4.0, 6.0, 8.0, 8.0, 8.0]


def test_the_cosine_starts_at_the_peak_passes_the_middle_and_ends_at_the_floor():
    values = [rate(step, 101, 1.0, 1, "cosine") for step in (1, 51, 101)]
    assert values == pytest.approx([1.0, (1 + FLOOR) / 2, FLOOR])


def test_without_a_warm_up_the_first_step_has_the_peak():
    assert rate(0, 10, 3.0, 0, "constant") == 3.0
