"""The error family: what a person did that cannot work, and what this installation lacks.

Messages name the thing, the rule it breaks and the next step, in one sentence or two.
"""


class MRNetError(Exception):
    """Base of every error the project raises on purpose."""

    exit_status = 1


class InputError(MRNetError):
    """The input is at fault (command line status 2): nothing was written, and the message says what to do."""

    exit_status = 2


class ExamError(InputError):
    """An exam cannot be read as a whole: nothing readable, two patients, no knee series, a hostile file."""


class DatasetError(InputError):
    """A dataset, a label file or a score table breaks its format; the message names the row or file."""


class InstallationError(MRNetError):
    """This installation is at fault (status 1): a damaged artifact, a missing library, a model that does not load."""


class ArtifactError(InstallationError):
    """A file of a RUN folder is missing, damaged (sha256) or of an unknown format."""


class Cancelled(MRNetError):
    """The person cancelled the job; nothing is kept."""
