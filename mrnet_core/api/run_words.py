"""A RUN in sentences: how far it is, how long it has been silent, how fast its networks train."""

from mrnet_core.api.run_view import RunView, duration

PATIENCE = 600
"""Seconds of silence after which a run that still trains may have stopped; longer where its epochs are longer."""


def trunk_progress(view: RunView) -> tuple[float, str] | None:
    """Share of its steps that a trunk in training has done, 0 to 1, and that in words; None where there is none."""
    now = view.trunk
    if view.finished or not now:
        return None
    left = f"about {now['seconds_left'] / 60:.0f} min" if now["seconds_left"] >= 90 else f"{now['seconds_left']:.0f} s"
    words = f"The trunk trains before them: step {now['step']:,.0f} of {now['steps']:,.0f}, loss {now['loss']:.3f}"
    return now["step"] / now["steps"], f"{words}, {left} left"


def state_words(view: RunView) -> str:
    """Whether a run without a manifest still trains or waits for its networks to be joined."""
    if view.trained:
        return (
            f"This run is trained, and its networks are not joined: `python -m mrnet_core ensemble {view.folder}` fits "
            "the regressions and makes it a model. Scores and regressions come with it."
        )
    return "This run still trains: the page follows it. Scores, regressions and heatmap grades come at its end."


def news_words(view: RunView) -> str:
    """How long a run that still trains has been silent and, once that is long for it, what to do; "" once trained."""
    if view.silent is None or view.trained:
        return ""
    words = f"Last written {duration(view.silent)} ago."
    if view.silent <= max(PATIENCE, 3 * _epoch_seconds(view)):
        return words
    return f"{words} Should it have stopped: its `train` command with `--resume` goes on from there."


def _epoch_seconds(view: RunView) -> float:
    """By the clock, of the longest epoch of a plane: its networks share the time, and so do planes that train at once.

    Planes train at once where several have begun and are not at their last epoch.
    """
    if view.epochs.empty:
        return 0.0
    share = view.epochs.groupby(["plane", "seed", "epoch"])["seconds"].sum().max()
    last = view.epochs.groupby(["plane", "seed"])["epoch"].max()
    at_once = (last < view.config.epochs).sum() if view.config is not None else 1
    return float(share * max(1, at_once))


def throughput_words(view: RunView) -> str:
    """Exams a second of a network beside others and of the whole run, and its seconds, in a sentence."""
    if view.networks.empty:
        return ""
    speed, seconds = view.networks["exams_per_second"], view.networks["seconds"].sum()
    words = (
        f"Beside the others one network takes {speed.min():.1f} to {speed.max():.1f} exams a second (median of its "
        f"epochs); the steps of all {len(view.networks)} took {duration(float(seconds))}"
    )
    epochs, exams = view.epochs[view.epochs["epoch"] > 0], max((one["n"] for one in view.coefficients), default=0)
    if view.finished and exams and len(epochs):
        rate = exams * len(epochs) / epochs["seconds"].sum()
        words += f", {rate:,.{0 if rate >= 100 else 1}f} exams a second through a network"
    return words + ("." if view.finished else " so far.")
