"""One patient, one study, one knee: what is mixed is refused or told apart, and said."""

import pytest
from pydicom.dataset import Dataset

from mrnet_core.domain import ExamError, Plane, Side
from tests.dicom import builder


def reasons(exam):
    return {one.description: one.reason for one in exam.refused}


def test_two_patients_are_refused(read):
    with pytest.raises(ExamError, match="the files are of 2 patients: an exam is of one"):
        read(builder.series("sagittal") + builder.series("axial", PatientID="OTHER"))


def test_a_name_spelt_another_way_is_the_same_patient(read):
    files = builder.series("sagittal") + builder.series("axial", PatientName="SECRET NAME")
    assert read(files).planes == (Plane.SAGITTAL, Plane.AXIAL)


def test_without_an_id_the_name_tells_patients_apart(read):
    with pytest.raises(ExamError, match="2 patients"):
        read(builder.series("sagittal", PatientID="") + builder.series("axial", PatientID="", PatientName="Other"))


def test_an_exam_that_names_nobody_is_read(read):
    assert read(builder.knee(PatientID="", PatientName="", PatientBirthDate="")).planes == tuple(Plane)


def test_of_two_whole_studies_the_newest_is_read_and_the_other_named(read):
    old = builder.knee(study="old", StudyDate="20180101")
    new = builder.knee(study="new", StudyDate="20210101")
    exam = read(new + old)
    assert {series.uid for series in exam.series.values()} == {builder.uid(f"new {plane}") for plane in builder.IOP}
    assert len(exam.refused) == 3
    assert all("of another study of this patient" in one.reason for one in exam.refused)
    assert exam.warnings == (
        "The files hold 2 studies of one patient. Read was the newest one (study 2 of 2, oldest first), with all three "
        "planes; study 1 (3 series) was left out.",
    )
    assert all("(study 1 of 2, oldest first)" in one.reason for one in exam.refused)


def test_an_older_whole_study_goes_before_a_newer_one_with_a_plane_missing(read):
    old = builder.knee(study="old", StudyDate="20180101")
    new = builder.series("axial", study="new", StudyDate="20210101")
    exam = read(new + old)
    assert exam.planes == tuple(Plane)
    assert exam.series[Plane.AXIAL].uid == builder.uid("old axial")
    assert "not the newest, but the newest whole one" in exam.warnings[0]


def test_no_sentence_about_studies_holds_a_uid(read):
    files = [one for k in range(3) for one in builder.knee(study=f"s{k}", StudyDate=f"202{k}0101")]
    exam = read(files)
    (warning,) = exam.warnings
    assert warning.endswith(
        "(study 3 of 3, oldest first), with all three planes; studies 1 and 2 (6 series) were left out."
    )
    said = " ".join([warning, *(one.reason for one in exam.refused)])
    assert not any(builder.uid(f"s{k}")[-8:] in said for k in range(3))


def test_studies_of_one_day_are_told_apart_by_the_hour(read):
    morning = builder.knee(study="a", StudyTime="080000")
    evening = builder.knee(study="b", StudyTime="180000.5")
    assert read(evening + morning).series[Plane.AXIAL].uid == builder.uid("b axial")


def test_a_study_can_be_had_by_choosing_one_of_its_series(read):
    old = builder.knee(study="old", StudyDate="20180101")
    new = builder.knee(study="new", StudyDate="20210101")
    exam = read(new + old, choices={Plane.AXIAL: builder.uid("old axial")})
    assert exam.series[Plane.SAGITTAL].uid == builder.uid("old sagittal")


def both_knees(right=("sagittal", "coronal", "axial"), left=("sagittal", "coronal", "axial")):
    files = []
    for side, planes in (("R", right), ("L", left)):
        for plane in planes:
            files += builder.series(plane, series=f"{plane} {side}", Laterality=side)
    return files


def test_two_knees_are_never_mixed_and_the_side_with_all_planes_is_read(read):
    exam = read(both_knees(right=("sagittal", "axial")))
    assert exam.side is Side.LEFT
    assert all(series.side is Side.LEFT for series in exam.series.values())
    assert exam.planes == tuple(Plane)
    assert "Two knees were found, left and right. Only the left one was read" in exam.warnings[0]
    assert reasons(exam)["AXIAL axial R"].startswith("of the right knee; the left one is read")
    assert not any(one.selectable for one in exam.refused)


@pytest.mark.parametrize("side", list(Side))
def test_the_side_can_be_given(read, side):
    exam = read(both_knees(), side=side)
    assert exam.side is side
    assert {series.side for series in exam.series.values()} == {side}


def test_of_two_whole_knees_the_right_one_is_read(read):
    assert read(both_knees()).side is Side.RIGHT


def test_a_side_that_is_not_there_is_refused(read):
    with pytest.raises(ExamError, match="no series is of the left knee: the files say right"):
        read(builder.knee(), side=Side.LEFT)


def test_a_series_that_does_not_say_its_side_is_left_out_of_a_study_of_both(read):
    exam = read(both_knees() + builder.series("axial", series="mute", Laterality=None))
    assert "does not say which knee it shows" in reasons(exam)["AXIAL mute"]


@pytest.mark.parametrize(
    ("description", "side"),
    [
        ("SAG T2 FS LEFT", Side.LEFT),
        ("sag_t2_genou_gauche", Side.LEFT),
        ("T2 SAG KNEE R", Side.RIGHT),
        ("SAG T2 RT", Side.RIGHT),
        ("SAG T2 KNIE LI", Side.LEFT),
        ("SAG T2 R L", None),
        ("SAG T2", None),
    ],
)
def test_without_laterality_the_description_names_the_side(read, description, side):
    assert read(builder.series("sagittal", Laterality=None, SeriesDescription=description)).side is side


def test_laterality_is_believed_over_the_description_and_the_quarrel_is_said(read):
    exam = read(builder.series("sagittal", SeriesDescription="SAG T2 LEFT"))
    assert exam.side is Side.RIGHT
    assert any(
        "Laterality says right, the description says left" in one for one in exam.series[Plane.SAGITTAL].warnings
    )


def knee_at(x, planes=tuple(builder.IOP), **changes):
    """Series of a knee whose middle lies at ``x`` mm, described by that number."""
    files = []
    for plane in planes:
        for one in builder.series(plane, series=f"{plane} {x}", SeriesDescription=f"{x}", **changes):
            one.ImagePositionPatient = [one.ImagePositionPatient[0] + x, *one.ImagePositionPatient[1:]]
            files.append(one)
    return files


def taken(exam):
    return {plane: series.description for plane, series in exam.series.items()}


def test_knees_that_nothing_names_are_told_apart_by_where_they_lie(read):
    exam = read(knee_at(-90, Laterality=None) + knee_at(90, Laterality=None))
    assert exam.side is Side.RIGHT
    assert set(taken(exam).values()) == {"-90"}
    assert "where the images lie" in " ".join(exam.series[Plane.AXIAL].warnings)


def test_series_that_name_no_side_a_leg_away_from_a_named_knee_are_of_the_other(read):
    files = knee_at(-100, ["sagittal"]) + knee_at(100, ["coronal", "axial"], Laterality=None)
    left, right = read(files), read(files, side=Side.RIGHT)
    assert taken(left) == {Plane.CORONAL: "100", Plane.AXIAL: "100"}
    assert taken(right) == {Plane.SAGITTAL: "-100"}
    assert left.side is left.series[Plane.AXIAL].side is Side.LEFT
    assert "where the images lie" in " ".join(left.series[Plane.AXIAL].warnings)
    assert "Two knees were found" in left.warnings[0]
    assert reasons(left) == {"-100": "of the right knee; the left one is read (two knees are never mixed)"}


def test_a_whole_knee_without_a_side_never_stands_in_for_a_named_one(read):
    files = knee_at(-100) + knee_at(100, Laterality=None)
    assert set(taken(read(files)).values()) == {"-100"}
    assert set(taken(read(files, side=Side.LEFT)).values()) == {"100"}


def test_a_series_that_names_no_side_is_of_the_named_knee_that_it_lies_with(read):
    exam = read(knee_at(-100, ["sagittal"]) + knee_at(-40, ["coronal", "axial"], Laterality=None))
    assert (exam.planes, exam.side, exam.warnings, exam.refused) == (tuple(Plane), Side.RIGHT, (), ())


def test_a_series_that_lies_where_the_other_knee_cannot_be_is_refused(read):
    exam = read(knee_at(-100, ["sagittal"], Laterality="L") + knee_at(100, ["axial"], Laterality=None))
    assert exam.planes == (Plane.SAGITTAL,)
    assert reasons(exam)["100"] == (
        "does not say which knee it shows, and lies 196 mm from the series of the left knee, where the right one "
        "cannot be"
    )


def test_series_of_one_named_knee_that_lie_as_far_apart_as_two_legs_are_warned_of(read):
    exam = read(knee_at(-100, ["sagittal"]) + knee_at(100, ["coronal", "axial"]))
    assert exam.warnings[0].startswith("The series of the right knee lie up to 196 mm apart from left to right")


def test_a_left_knee_to_the_right_of_the_right_one_is_warned_of(read):
    exam = read(knee_at(-100, Laterality="L") + knee_at(100))
    assert "The series of the left knee lie 200 mm to the patient's right of the right knee's" in exam.warnings[1]
    assert len(read(knee_at(100, Laterality="L") + knee_at(-100)).warnings) == 1


def test_another_body_part_never_decides_which_knee_is_read(read):
    shoulder = knee_at(150, BodyPartExamined="SHOULDER", Laterality="L")
    exam = read(shoulder + knee_at(-20, ["sagittal", "axial"]))
    assert set(taken(exam).values()) == {"-20"}
    assert (exam.side, exam.warnings) == (Side.RIGHT, ())


def test_a_sagittal_series_through_both_legs_is_cut_in_two(read):
    files = []
    for k in range(16):
        x = k * 4.0 - 80 if k < 8 else k * 4.0 + 60
        files.append(builder.image("sagittal", k, Laterality=None, position=[x, -16.0, 24.0]))
    right, left = (read(files, side=side).series[Plane.SAGITTAL] for side in (Side.RIGHT, Side.LEFT))
    assert right.slices == left.slices == 8
    assert right.pixels.mean() < left.pixels.mean()  # values rise with x
    assert any("covers both knees" in warning for warning in right.warnings)
    assert not any("A gap" in warning for warning in right.warnings)


def test_a_brain_is_answered_with_a_warning_that_comes_first_and_is_loud(read):
    exam = read(builder.knee(BodyPartExamined="BRAIN", StudyDescription="MRI HEAD", Laterality=None))
    assert exam.planes == tuple(Plane)
    assert exam.warnings[0].startswith("NOT A KNEE? These images say that they show another body part: BRAIN.")
    assert exam.other_body_part == "brain"


@pytest.mark.parametrize("said", [{"BodyPartExamined": None}, {"BodyPartExamined": "EXTREMITY"}])
def test_without_a_body_part_the_descriptions_are_asked(read, said):
    exam = read(builder.knee(StudyDescription="IRM DE L'ÉPAULE", **said))
    assert "SHOULDER" in exam.warnings[0]


@pytest.mark.parametrize("said", ["KNEE", "LOWER EXTREMITY", "", "KNEE JOINT", "LOWER LIMB", "MEMBRE INF"])
def test_a_knee_by_any_of_its_names_raises_no_alarm(read, said):
    assert read(builder.knee(BodyPartExamined=said, StudyDescription="")).warnings == ()


def test_a_word_that_nobody_knows_yields_to_a_knee_in_the_descriptions(read):
    exam = read(builder.knee(BodyPartExamined="KOLENO"))
    assert (exam.warnings, exam.other_body_part) == ((), None)


def test_a_word_that_nobody_knows_raises_the_alarm_and_is_never_repeated(read):
    exam = read(builder.knee(BodyPartExamined="SECRET NAME", StudyDescription=""))
    assert exam.warnings[0].startswith("NOT A KNEE? These images say that they show another body part. The networks")
    assert exam.other_body_part == "another body part"
    assert "SECRET NAME" not in repr(exam).upper()
    stranger = builder.series("axial", series="x", BodyPartExamined="SECRET NAME", StudyDescription="")
    refused = reasons(read(builder.series("coronal") + stranger))
    assert refused["AXIAL x"] == "says it shows another body part, in a study that has knee series"


def frame_anatomies(dataset, per_frame):
    """The FrameAnatomySequence items of an Enhanced file: its shared one, or new ones of each frame in its place."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    if not per_frame:
        return [shared.FrameAnatomySequence[0]]
    del shared.FrameAnatomySequence
    anatomies = [Dataset() for _ in dataset.PerFrameFunctionalGroupsSequence]
    for group, anatomy in zip(dataset.PerFrameFunctionalGroupsSequence, anatomies, strict=True):
        group.FrameAnatomySequence = [anatomy]
    return anatomies


@pytest.mark.parametrize("per_frame", [False, True])
def test_an_enhanced_file_names_its_body_part_in_its_frames_anatomy(read, per_frame):
    dataset = builder.enhanced("axial")
    del dataset.BodyPartExamined
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "12738006", "SCT", "Brain"
    for anatomy in frame_anatomies(dataset, per_frame):
        anatomy.AnatomicRegionSequence = [region]
    assert read([dataset]).other_body_part == "brain"


@pytest.mark.parametrize(("sides", "side"), [("L", Side.LEFT), ("R", Side.RIGHT), ("RL", None)])
def test_the_frames_of_an_enhanced_file_may_each_name_their_side(read, sides, side):
    dataset = builder.enhanced("axial")
    for k, anatomy in enumerate(frame_anatomies(dataset, per_frame=True)):
        anatomy.FrameLaterality = sides[k % len(sides)]
    exam = read([dataset])
    assert exam.side is side
    assert ("Laterality says both knees." in exam.series[Plane.AXIAL].warnings) == (side is None)


def test_in_a_study_of_a_knee_a_series_of_another_body_part_is_refused(read):
    hip = builder.series("axial", series="hip", BodyPartExamined="HIP")
    exam = read([*hip, *builder.series("coronal")])
    assert exam.planes == (Plane.CORONAL,)
    assert "says it shows another body part (hip)" in reasons(exam)["AXIAL hip"]
    assert exam.warnings == ()
    assert exam.other_body_part is None


def test_a_knee_study_goes_before_a_newer_brain(read):
    brain = builder.knee(study="brain", StudyDate="20240101", BodyPartExamined="BRAIN")
    exam = read([*builder.knee(study="knee"), *brain])
    assert exam.series[Plane.AXIAL].uid == builder.uid("knee axial")
    assert exam.other_body_part is None
