"""Sentences that stand on more than one page, each written once."""

RESEARCH_NOTICE = "Research use only. Not a medical device; not for diagnosis or treatment."
THREE_SENTENCES = (
    "MRNet (Bien et al. 2018) flags abnormality, ACL tears and meniscal tears on a knee MRI exam, and shows where it "
    "looked.",
    "Here the whole system runs on your own computer: drop an exam, scroll through its three series with the heatmaps "
    "over them, and read three probabilities with the networks behind them.",
    "The model that ships was trained on <strong>synthetic knees</strong>, because the patients' images behind the "
    "published one may not be handed on: it shows how the system works and says nothing about a real knee.",
)
HEATMAP_CAUTION = (
    "A right call can come with a heatmap in the wrong place: in the paper's Fig 3d the network called an exam "
    "abnormal for its subcutaneous signal and did not look at the torn meniscus. A heatmap shows where the network "
    "looked, not where the lesion is."
)
STILL_READING = "The networks are still reading; their heatmaps appear here when they are done."
NO_ANSWER = "There is no answer for this exam, so no heatmap is shown."
SYNTHETIC_SHORT = "synthetic model"
SYNTHETIC_ON_REAL_SHORT = "synthetic model: says nothing about this knee"
OTHER_BODY_PART = (
    "The study says that it shows another body part ({part}), not a knee. The networks know knees only: their numbers "
    "and heatmaps mean nothing here."
)
SYNTHETIC_ON_REAL = (
    "These numbers say nothing about this knee. The model that ships with this software was trained on synthetic knees "
    "only, because the patients' images behind the published model may not be handed on."
)
PRIVACY = (
    "The exam stays in this session's memory on the computer that runs this app: nothing is written to disk, logged "
    "or sent on, and no request leaves the machine. “Remove exam” forgets it at once; what a closed page held is given "
    "up after a few minutes."
)
REAL_MODEL = (
    "With the MRNet-v1.0 data from Stanford, `python -m mrnet_core train --data MRNet-v1.0 --out RUN` trains the "
    "real one, and `MRNET_MODEL=RUN make app` puts it here."
)
