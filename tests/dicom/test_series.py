"""Which series is read in each plane, why, and what is said about the others."""

import numpy as np
import pytest

from mrnet_core.dicom.protocol import Sequence as PulseSequence
from mrnet_core.dicom.protocol import Weighting, protocol_score
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder


def reasons(exam):
    return {one.description: one.reason for one in exam.refused}


def test_the_papers_own_protocol_is_taken_without_a_warning(read):
    exam = read(builder.knee())
    assert exam.planes == tuple(Plane)
    assert [series.warnings for series in exam.series.values()] == [(), (), ()]
    assert exam.warnings == exam.refused == exam.skipped == ()
    assert "T2-weighted, fat-suppressed (TR 3800, TE 58 ms)" in exam.series[Plane.SAGITTAL].reason


def test_derived_and_secondary_images_are_images(read):
    files = builder.knee(ImageType=["DERIVED", "SECONDARY"])
    assert read(files).planes == tuple(Plane)


def test_a_plane_that_is_missing_is_missing(read):
    exam = read(builder.series("sagittal") + builder.series("axial"))
    assert exam.planes == (Plane.SAGITTAL, Plane.AXIAL)


def test_the_series_nearest_to_the_protocol_is_taken_and_the_runner_up_can_be_chosen(read):
    pd = builder.series("sagittal", series="pd", EchoTime=20.0)
    t1 = builder.series("sagittal", series="t1", EchoTime=12.0, RepetitionTime=600.0, ScanOptions="")
    exam = read(t1 + builder.series("sagittal") + pd)
    assert exam.series[Plane.SAGITTAL].description == "SAGITTAL sagittal"
    assert [one.description for one in exam.alternatives[Plane.SAGITTAL]] == ["SAGITTAL pd", "SAGITTAL t1"]
    assert all(one.selectable for one in exam.refused)
    assert "nearer to the paper's T2-weighted, fat-suppressed" in reasons(exam)["SAGITTAL t1"]
    changed = exam.choose(Plane.SAGITTAL, builder.uid("study t1"))
    assert changed.series[Plane.SAGITTAL].description == "SAGITTAL t1"


def test_a_series_can_be_chosen_by_hand(read):
    t1 = builder.series("sagittal", series="t1", EchoTime=12.0, RepetitionTime=600.0, ScanOptions="")
    exam = read(builder.series("sagittal") + t1, choices={Plane.SAGITTAL: builder.uid("study t1")})
    assert exam.series[Plane.SAGITTAL].description == "SAGITTAL t1"
    assert exam.series[Plane.SAGITTAL].reason.startswith("chosen by hand")
    assert [one.description for one in exam.alternatives[Plane.SAGITTAL]] == ["SAGITTAL sagittal"]


def test_a_choice_that_is_not_there_is_refused_with_those_that_are(read):
    with pytest.raises(
        ExamError, match=f"9.9.9 cannot be read as the sagittal one; those that can: {builder.uid('study sagittal')}"
    ):
        read(builder.series("sagittal"), choices={Plane.SAGITTAL: "9.9.9"})


@pytest.mark.parametrize(
    ("plane", "changes", "words"),
    [
        ("sagittal", {"EchoTime": 20.0}, "PD-weighted, fat-suppressed"),
        ("coronal", {"EchoTime": 30.0, "RepetitionTime": 3000.0, "ScanOptions": "FS"}, "PD-weighted, fat-suppressed"),
        ("axial", {"EchoTime": 70.0}, "T2-weighted, fat-suppressed"),
        ("axial", {"ScanOptions": ""}, "PD-weighted "),
        ("sagittal", {"ScanningSequence": "GR", "RepetitionTime": 400.0, "EchoTime": 12.0}, "gradient echo"),
        ("sagittal", {"ScanningSequence": ["SE", "IR"], "InversionTime": 150.0}, "STIR"),
    ],
)
def test_a_stand_in_is_warned_of_by_name(read, plane, changes, words):
    warnings = read(builder.series(plane, **changes)).series[Plane(plane)].warnings
    assert any(warning.startswith(f"Stand-in: this series is {words}") for warning in warnings), warnings


@pytest.mark.parametrize(
    ("description", "options", "suppressed"),
    [
        ("SAG T2 FS", "", True),
        ("sag_t2_fatsat", "", True),
        ("SAG T2W SPAIR", "", True),
        ("SAG T2 TSE", "", False),
        ("SAG T2 TSE", "FS", True),
        ("SAG T2 TSE", "PFP", False),
        ("SAG PDFS", "", True),
        ("SAG OFFSET", "", False),
    ],
)
def test_fat_suppression_is_read_from_options_or_description(read, description, options, suppressed):
    exam = read(builder.series("sagittal", SeriesDescription=description, ScanOptions=options))
    assert ("fat-suppressed (TR" in exam.series[Plane.SAGITTAL].reason) == suppressed


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("SAG T1", "T1-weighted"),
        ("SAG DP FS", "PD-weighted"),
        ("SAG T2 FS", "T2-weighted"),
        ("SAG", "of unknown weighting"),
    ],
)
def test_without_times_the_description_gives_the_weighting(read, description, words):
    files = builder.series("sagittal", SeriesDescription=description, RepetitionTime=None, EchoTime=None)
    assert read(files).series[Plane.SAGITTAL].reason.startswith(words)


def test_the_papers_sequence_scores_highest_in_every_plane():
    for plane in Plane:
        scores = {
            (kind, fat): protocol_score(plane, PulseSequence(kind, fat, None, None))
            for kind in Weighting
            for fat in (True, False)
        }
        best = max(scores, key=scores.get)
        assert scores[best] == 100
        assert f"{best[0]}" in plane.paper_sequence
        assert list(scores.values()).count(100) == 1


def three_planes():
    return [
        builder.image(
            plane, k, series="localizer", SOPInstanceUID=builder.uid(f"loc {plane} {k}"), SeriesDescription="x"
        )
        for plane in builder.IOP
        for k in range(4)
    ]


def test_a_three_plane_localizer_in_one_series_is_refused_by_its_directions(read):
    exam = read(builder.knee() + three_planes())
    assert exam.planes == tuple(Plane)
    assert reasons(exam)["x"] == "a localizer: its images lie in 3 directions (4, 4, 4 images)"
    assert not exam.refused[0].selectable


@pytest.mark.parametrize(
    "changes",
    [
        {"SeriesDescription": "Scout"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"SeriesDescription": "loc_3PL"},
    ],
)
def test_a_localizer_is_known_by_its_words(read, changes):
    exam = read(builder.knee() + builder.series("axial", series="loc", **changes))
    assert "a localizer" in exam.refused[0].reason
    assert exam.series[Plane.AXIAL].description == "AXIAL axial"


def test_a_study_of_nothing_but_a_localizer_is_refused_with_the_reason(read):
    with pytest.raises(
        ExamError, match="none of the 1 MR series can be read as a knee series: a localizer: its images"
    ):
        read(three_planes())


def test_a_fragment_of_a_series_is_refused(read):
    exam = read(builder.knee() + builder.series("axial", slices=3, series="few"))
    assert "3 image(s): fewer than 5" in reasons(exam)["AXIAL few"]


def test_of_two_echoes_the_one_nearer_to_the_protocol_is_taken_and_both_are_named(read):
    first = builder.series("sagittal", EchoTime=15.0, EchoNumbers=1)
    second = builder.series("sagittal", EchoTime=80.0, EchoNumbers=2)
    for one in second:
        one.PixelData = bytes(len(one.PixelData) - 2) + b"\x01\x00"
    series = read(first + second).series[Plane.SAGITTAL]
    assert series.slices == builder.SLICES
    assert series.pixels.max() == 1
    assert "2 echoes in one series (TE 15 and 80 ms): that of 80 ms was taken." in series.warnings


def test_an_echo_time_that_wavers_is_one_echo(read):
    files = builder.series("sagittal")
    for k, one in enumerate(files):
        one.EchoTime = 58.0 + k * 0.3
    assert read(files).series[Plane.SAGITTAL].slices == builder.SLICES


def test_water_is_taken_before_fat_in_a_dixon_series(read):
    water = builder.series("sagittal", ImageType=["ORIGINAL", "PRIMARY", "DIXON", "WATER"], ScanOptions="")
    fat = builder.series("sagittal", ImageType=["ORIGINAL", "PRIMARY", "DIXON", "FAT"], ScanOptions="")
    for one in fat:
        one.SOPInstanceUID = builder.uid(one.SOPInstanceUID)
        one.PixelData = bytes(len(one.PixelData) - 2) + b"\x01\x00"
    series = read(fat + water).series[Plane.SAGITTAL]
    assert series.pixels.max() > 1
    assert "2 kinds of picture in one series: WATER was taken." in series.warnings


def test_magnitude_is_taken_before_phase(read):
    phase = builder.series("sagittal", slices=10, ImageType=["ORIGINAL", "PRIMARY", "P"])
    for one in phase:
        one.SOPInstanceUID = builder.uid(one.SOPInstanceUID)
    series = read(phase + builder.series("sagittal")).series[Plane.SAGITTAL]
    assert series.slices == builder.SLICES
    assert "2 kinds of picture in one series: M was taken." in series.warnings


def test_a_gap_is_named_by_its_slices(read):
    files = builder.series("sagittal", slices=12)
    del files[4:6]  # these lie from the patient's left to the right: slice 1 is the last file
    series = read(files).series[Plane.SAGITTAL]
    assert series.slices == 10
    assert "A gap: about 2 slice(s) are missing (between slices 6 and 7)." in series.warnings


def test_slices_missing_all_through_a_series_are_said(read):
    series = read(builder.series("axial", slices=16)[::2]).series[Plane.AXIAL]
    assert series.slice_spacing == 8.0
    assert series.warnings == (
        "The slices lie 8.0 mm apart where the file says 4.0 mm: slices may be missing all through the series.",
    )


def test_a_gap_in_a_series_that_lost_every_second_slice_is_said_too(read):
    files = builder.series("axial", slices=24)[::2]
    del files[4:6]
    (warning,) = read(files).series[Plane.AXIAL].warnings
    assert warning.startswith("A gap: about 2 slice(s) are missing (between slices 4 and 5). The slices lie 8.0 mm")


@pytest.mark.parametrize("spacing", [4.0, 2.7, 0.4, 0.0, None])
def test_a_file_that_gives_the_gap_or_nothing_for_the_spacing_raises_no_warning(read, spacing):
    series = read(builder.series("axial", SpacingBetweenSlices=spacing)).series[Plane.AXIAL]
    assert series.warnings == ()


def test_the_same_file_twice_is_read_once_and_said(read):
    files = builder.series("axial")
    exam = read(files + files[:3])
    assert exam.series[Plane.AXIAL].slices == builder.SLICES
    assert exam.warnings == ("3 file(s) were given twice; each image was read once.",)


def test_two_images_at_one_place_are_said_and_the_first_acquired_is_kept(read):
    files = builder.series("axial", AcquisitionNumber=1, InstanceNumber=900)
    again = builder.series("axial", AcquisitionNumber=2)
    for one in again:
        one.SOPInstanceUID = builder.uid(one.SOPInstanceUID)
        one.PixelData = bytes(len(one.PixelData) - 2) + b"\x01\x00"
    series = read(again + files).series[Plane.AXIAL]
    assert series.slices == builder.SLICES
    assert series.pixels.max() > 1
    assert "8 image(s) lie at a place that another image has; the first acquired was kept." in series.warnings


def acquisitions(shift, **changes):
    """An axial series acquired twice, each place ``shift(acquisition, k)`` mm off; a value tells which and where."""
    files = []
    for acquisition in (1, 2):
        for k, one in enumerate(builder.series("axial", AcquisitionNumber=acquisition, **changes)):
            x, y, z = one.ImagePositionPatient
            one.ImagePositionPatient = [x, y, z + shift(acquisition, k)]
            one.SOPInstanceUID = builder.uid(f"{acquisition} {k}")
            one.PixelData = np.full((builder.ROWS, builder.COLUMNS), 100 * acquisition + k).astype("<u2").tobytes()
            files.append(one)
    return files


def values(series):
    return [int(picture.max()) for picture in series.pixels]


FIRST, SECOND = ([100 * acquisition + k for k in range(builder.SLICES)] for acquisition in (1, 2))


@pytest.mark.parametrize("shift", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("spacing", [4.0, None])
def test_a_second_acquisition_a_little_off_the_first_is_left_out_whole(read, shift, spacing):
    files = acquisitions(lambda acquisition, k: shift * (acquisition - 1), SpacingBetweenSlices=spacing)
    series = read(files[::-1]).series[Plane.AXIAL]
    assert values(series) == FIRST
    assert series.slice_spacing == pytest.approx(4.0)
    assert series.warnings == ("8 image(s) of another acquisition of the same slices were left out.",)


def test_of_two_acquisitions_the_whole_one_is_read(read):
    files = acquisitions(lambda acquisition, k: acquisition - 1.0)
    assert values(read(files[:-3]).series[Plane.AXIAL]) == FIRST
    assert values(read(files[3:]).series[Plane.AXIAL]) == SECOND


def test_places_that_waver_never_mix_two_acquisitions(read):
    files = acquisitions(lambda acquisition, k: 0.02 * (-1) ** (acquisition + k))
    series = read(files).series[Plane.AXIAL]
    assert values(series) == FIRST
    assert "8 image(s) lie at a place that another image has; the first acquired was kept." in series.warnings


def test_a_slice_acquired_again_a_little_off_is_no_slice_of_its_own(read):
    files = acquisitions(lambda acquisition, k: 0.2 * (acquisition - 1))
    series = read(files[: builder.SLICES] + files[-2:]).series[Plane.AXIAL]
    assert values(series) == FIRST
    assert series.warnings == ("2 image(s) lie at a place that another image has; the first acquired was kept.",)


@pytest.mark.parametrize("spacing", [2.0, None])
def test_acquisitions_whose_slices_lie_between_each_others_are_one_stack(read, spacing):
    files = acquisitions(lambda acquisition, k: 2.0 * (acquisition - 1), SpacingBetweenSlices=spacing)
    for one in files:
        one.SliceThickness = 1.8
    series = read(files).series[Plane.AXIAL]
    assert values(series) == [value for both in zip(FIRST, SECOND, strict=True) for value in both]
    assert series.warnings == ()


def test_fine_slices_of_a_thick_series_are_kept(read):
    """A scanner that interpolates by four: thickness 2 mm, a slice every 0.5 mm."""
    series = read(builder.series("axial", step=0.5, SliceThickness=2.0)).series[Plane.AXIAL]
    assert series.slices == builder.SLICES


def test_a_series_of_mixed_matrices_keeps_the_most_and_says_so(read):
    odd = builder.image("axial", 20, shape=(12, 16))
    series = read([*builder.series("axial"), odd]).series[Plane.AXIAL]
    assert series.slices == builder.SLICES
    assert any("mixes matrices" in warning for warning in series.warnings)


def test_maps_colour_and_reformats_are_no_first_choice(read):
    adc = builder.series("axial", series="adc", SeriesDescription="AX ADC")
    colour = builder.series("axial", series="rgb", SamplesPerPixel=3, PhotometricInterpretation="RGB")
    for one in colour:
        one.PlanarConfiguration = 0
        one.PixelData = one.PixelData * 3
    mpr = builder.series("axial", series="mpr", ImageType=["DERIVED", "SECONDARY", "MPR"])
    exam = read(adc + colour + mpr + builder.series("axial"))
    assert exam.series[Plane.AXIAL].description == "AXIAL axial"
    assert "computed from other images" in reasons(exam)["AX ADC"]
    assert "colour" in reasons(exam)["AXIAL rgb"]
    assert [one.description for one in exam.alternatives[Plane.AXIAL]] == ["AXIAL mpr"]


def test_the_order_of_files_never_decides(read):
    files = builder.knee() + builder.series("axial", series="b") + builder.series("axial", series="a")
    first, second = read(files), read(files[::-1])
    assert {p: s.uid for p, s in first.series.items()} == {p: s.uid for p, s in second.series.items()}
    assert [one.uid for one in first.alternatives[Plane.AXIAL]] == [one.uid for one in second.alternatives[Plane.AXIAL]]


def test_an_enhanced_multi_frame_exam_is_the_classic_one(read):
    classic, enhanced = read(builder.knee()), read([builder.enhanced(plane) for plane in builder.IOP])
    for plane in Plane:
        one, other = classic.series[plane], enhanced.series[plane]
        assert (one.pixels == other.pixels).all()
        assert (one.row_spacing, one.slice_spacing, one.side) == (other.row_spacing, other.slice_spacing, other.side)
        assert one.reason == other.reason
        assert other.warnings == ()


def test_two_stacks_of_one_enhanced_file_are_a_localizer(read):
    mixed = builder.enhanced("sagittal")
    for group in mixed.PerFrameFunctionalGroupsSequence[:4]:
        group.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    exam = read([mixed, *builder.series("axial")])
    assert exam.planes == (Plane.AXIAL,)
    assert "lie in 2 directions (4, 4 images)" in exam.refused[0].reason
