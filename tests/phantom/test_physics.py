"""Contrast of the tissues by the spin-echo equation."""

import numpy as np
import pytest

from mrnet_core.domain import Plane
from mrnet_core.phantom.anatomy import Tissue
from mrnet_core.phantom.physics import PROTON_DENSITY, SEQUENCES, Sequence, signal, spin_echo

SUPPRESSED = 0.08


def contrast(plane_or_sequence, field=1.5):
    sequence = plane_or_sequence if isinstance(plane_or_sequence, Sequence) else SEQUENCES[plane_or_sequence]
    water, fat = signal(sequence, field)
    return water + fat * (SUPPRESSED if sequence.fat_suppressed else 1.0)


def test_the_equation_by_hand():
    # 1 - e^-1 = 0.6321, e^-0.5 = 0.6065
    assert spin_echo(Sequence("", 1000.0, 30.0, False), 0.8, 1000.0, 60.0) == pytest.approx(
        0.8 * 0.6321 * 0.6065, abs=1e-4
    )


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_fluid_is_brightest_in_t2_and_dark_in_t1(field):
    t2, t1 = contrast(Plane.SAGITTAL, field), contrast(Plane.CORONAL, field)
    assert t2.argmax() == Tissue.FLUID
    assert t1[Tissue.FLUID] < t1[Tissue.MUSCLE]
    assert t1.argmax() == Tissue.FAT


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_order_of_brightness_is_a_knees(field):
    t2, t1, pd = (contrast(plane, field) for plane in (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL))
    for table in (t2, pd):  # fat-suppressed: fluid > cartilage > muscle > marrow > meniscus
        order = [Tissue.FLUID, Tissue.CARTILAGE, Tissue.MUSCLE, Tissue.MARROW, Tissue.CORTEX]
        assert (np.diff(table[order]) < 0).all()
        assert table[Tissue.MEDIAL_MENISCUS] < table[Tissue.MUSCLE]
    order = [Tissue.FAT, Tissue.MARROW, Tissue.CARTILAGE, Tissue.MEDIAL_MENISCUS, Tissue.CORTEX]
    assert (np.diff(t1[order]) < 0).all()


@pytest.mark.parametrize("plane", Plane)
def test_a_tear_is_brighter_than_what_is_torn(plane):
    table = contrast(plane)
    assert table[Tissue.TORN_FIBRES] > 1.3 * table[Tissue.ACL]
    assert table[Tissue.TEAR] > 2 * table[Tissue.MEDIAL_MENISCUS]
    assert table[Tissue.DEGENERATION] > 1.2 * table[Tissue.MEDIAL_MENISCUS]


def test_marrow_oedema_is_bright_in_t2_and_dark_in_t1():
    t2, t1 = contrast(Plane.SAGITTAL), contrast(Plane.CORONAL)
    for tissue in (Tissue.OEDEMA, Tissue.CONTUSION):
        assert t2[tissue] > 2 * t2[Tissue.MARROW]
        assert t1[tissue] < t1[Tissue.MARROW]


def test_fat_is_bright_without_suppression_in_proton_density():
    table = contrast(PROTON_DENSITY)
    assert table[Tissue.FAT] > table[Tissue.MUSCLE]
    assert table[Tissue.FLUID] > table[Tissue.MUSCLE]


def test_every_tissue_but_air_has_a_signal():
    water, fat = signal(SEQUENCES[Plane.CORONAL])
    dark = {tissue for tissue in Tissue if water[tissue] + fat[tissue] <= 0}
    assert dark == {Tissue.AIR}
