"""Every printed number of the paper's text as one record, bound to the quantity that recomputes it."""

from collections.abc import Iterator

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.paper import Printed

_SP, _SE, _AC = Metric.SPECIFICITY, Metric.SENSITIVITY, Metric.ACCURACY


def printed_numbers() -> tuple[Printed, ...]:
    """Every printed number of the text, in the order of the paper's tables, figures and sections.

    Numbers that the supplement alone holds (S2 to paper.S4 Tables) are not here but for those that the text quotes.
    """
    return (
        *_table1(),
        *_dataset(),
        *_aucs(),
        *_table2(),
        *_table3(),
        *_model_text(),
        *_assistance_text(),
        *_kappas(),
        *_external(),
        *_claims(),
    )


def _table1() -> Iterator[Printed]:
    for what, group, number, percent in paper.TABLE1:
        words = (
            f"{paper.TABLE1_WORDS[what]}, {group} set"
            if group != "reference"
            else f"{paper.TABLE1_WORDS[what]}, reference standard"
        )
        if group == "reference" and what in [task.value for task in Task]:
            clash = "C3" if what == Task.MENISCUS else ""
            yield Printed(
                f"table1.{what}.{group}", "Table 1", words, str(number), of=f"positives.{what}", contradiction=clash
            )
        yield Printed(
            f"table1.{what}.{group}.percent",
            "Table 1",
            f"{words}, percent",
            percent,
            of=f"table1.{what}.{group}.percent",
        )
    yield Printed(
        "table1.identified.percent",
        "Table 1, note",
        "training exams with a patient identifier, percent",
        "98.6",
        of="identified.percent",
    )


def _dataset() -> Iterator[Printed]:
    where = "Methods, Dataset"
    yield Printed("methods.exams", where, "exams of the three sets together", "1,370", of="exams.total")
    for what, number, percent in paper.METHODS_TOTALS:
        place = "Abstract" if what == "female" else where
        yield Printed(f"methods.{what}", place, f"{paper.TABLE1_WORDS[what]}, all sets", number, of=f"total.{what}")
        yield Printed(
            f"methods.{what}.percent",
            place,
            f"{paper.TABLE1_WORDS[what]}, percent of all exams",
            percent,
            of=f"total.{what}.percent",
            contradiction="C6" if what == "both" else "",
        )
    yield Printed("methods.3-tesla.percent", where, "775 exams at 3.0 T, percent", "56.6%", of="tesla.percent")
    yield Printed(
        "methods.stratified",
        where,
        "fewest positives of a label in the tuning and validation sets",
        "at least 50",
        of="stratified.fewest",
        rule="at least",
        bound=50,
    )
    yield Printed("abstract.age", "Abstract", "mean age, years", "38.0", of="age.mean")
    yield Printed("methods.slices.mean", where, "images in a series, mean", "31.48", reason=paper.NO_EXAMS)
    yield Printed("methods.slices.sd", where, "images in a series, SD", "7.97", reason=paper.NO_EXAMS)
    yield Printed(
        "methods.external.exams", "Methods, External validation", "external exams", "917", of="external.exams"
    )
    yield Printed(
        "abstract.external.validation",
        "Abstract",
        "exams of the external validation set",
        "183",
        of="external.validation",
    )
    yield Printed("methods.readers", "Methods, Evaluation", "general radiologists", "7", of="readers.radiologist")
    yield Printed("methods.surgeons", "Methods, Evaluation", "orthopedic surgeons", "2", of="readers.surgeon")
    for task in Task:
        yield Printed(
            f"methods.exams.{task}",
            "Table 2, note",
            f"exams of the validation set, {_name(task)}",
            "120",
            of=f"exams.{task}",
        )


def _aucs() -> Iterator[Printed]:
    parts = ("estimate", "lower", "upper")
    for section in ("abstract", "results", "discussion"):
        where = {"results": "Results, Model performance; Fig 5"}.get(section, section.capitalize())
        for task, numbers in paper.AUC.items():
            for part, number in zip(parts, numbers, strict=True):
                clash = section == "discussion" and part == "upper"
                yield Printed(
                    f"{section}.auc.{task}.{part}",
                    where,
                    f"AUC of the model, {_name(task)}, {'estimate' if part == 'estimate' else f'{part} 95% limit'}",
                    numbers[0] if clash else number,
                    of=f"auc.{task}.{part}",
                    contradiction="C4" if clash else "",
                )


def _table2() -> Iterator[Printed]:
    for (task, metric), row in paper.TABLE2.items():
        clash = "C1" if task == Task.MENISCUS else ""
        words = f"{metric}, {_name(task)}"
        names = ("model", "model.lower", "model.upper", "radiologists", "radiologists.lower", "radiologists.upper")
        for name, number in zip(names, row[:6], strict=True):
            who, _, limit = name.partition(".")
            yield Printed(
                f"table2.{task}.{metric}.{name}",
                "Table 2",
                f"{words}: {'model' if who == 'model' else 'unassisted general radiologists'}"
                + (f", {limit} 95% limit" if limit else ""),
                number,
                of=f"{who}.{task}.{metric}.{limit or 'estimate'}",
                contradiction=clash if who == "radiologists" else "",
            )
        for name, number in zip("pq", row[6:], strict=True):
            yield Printed(
                f"table2.{task}.{metric}.{name}",
                "Table 2",
                f"{words}: {name} of model against radiologists",
                number,
                of=f"table2.{task}.{metric}.{name}",
            )


def _table3() -> Iterator[Printed]:
    names = ("difference", "lower", "upper", "p", "q")
    words = ("mean difference assisted − unassisted", "its lower 95% limit", "its upper 95% limit", "one-tailed p", "q")
    for (task, metric), row in paper.TABLE3.items():
        for name, word, number in zip(names, words, row, strict=True):
            yield Printed(
                f"table3.{task}.{metric}.{name}",
                "Table 3; Fig 6" if name in names[:3] else "Table 3",
                f"{metric}, {_name(task)}: {word}",
                number,
                of=f"table3.{task}.{metric}.{name}",
            )


def _model_text() -> Iterator[Printed]:
    """Results, "Model performance", and the Abstract: the table's numbers once more in running text."""
    quoted = (
        ("model", Task.ABNORMAL, _SP, ("0.714", "0.500", "0.862")),
        ("radiologists", Task.ABNORMAL, _SP, ("0.844", "0.776", "0.893")),
        ("model", Task.ABNORMAL, _SE, ("0.879", "0.800", "0.929")),
        ("model", Task.ABNORMAL, _AC, ("0.850", "0.775", "0.903")),
        ("radiologists", Task.ABNORMAL, _SE, ("0.905", "0.881", "0.924")),
        ("radiologists", Task.ABNORMAL, _AC, ("0.894", "0.871", "0.913")),
        ("model", Task.ACL, _SP, ("0.968", "0.890", "0.991")),
        ("radiologists", Task.ACL, _SP, ("0.933", "0.906", "0.953")),
        ("radiologists", Task.ACL, _SE, ("0.906", "0.874", "0.931")),
        ("model", Task.ACL, _SE, ("0.759", "0.635", "0.850")),
        ("radiologists", Task.MENISCUS, _SP, ("0.892", "0.858", "0.918")),
        ("model", Task.MENISCUS, _SP, ("0.741", "0.616", "0.837")),
    )
    for who, task, metric, numbers in quoted:
        for part, number in zip(("estimate", "lower", "upper"), numbers, strict=True):
            yield Printed(
                f"results.{task}.{metric}.{who}" + ("" if part == "estimate" else f".{part}"),
                "Results, Model performance",
                f"{metric}, {_name(task)}: {'model' if who == 'model' else 'unassisted general radiologists'}"
                + ("" if part == "estimate" else f", {part} 95% limit"),
                number,
                of=f"{who}.{task}.{metric}.{part}",
            )
    for section in ("abstract", "results"):
        where = "Abstract" if section == "abstract" else "Results, Model performance"
        for task, metric, numbers in ((Task.ACL, _SE, ("0.002", "0.019")), (Task.MENISCUS, _SP, ("0.003", "0.019"))):
            for name, number in zip("pq", numbers, strict=True):
                yield Printed(
                    f"{section}.{task}.{metric}.{name}",
                    where,
                    f"{metric}, {_name(task)}: {name} of model against radiologists",
                    number,
                    of=f"table2.{task}.{metric}.{name}",
                )


def _assistance_text() -> Iterator[Printed]:
    """Results, "Clinical utility of model assistance", and the Abstract."""
    quoted = (
        ("abstract", "table3", Task.ACL, _SP, "p", "<0.001"),
        ("abstract", "table3", Task.ACL, _SP, "q", "0.006"),
        ("results", "table3", Task.ACL, _SP, "p", "<0.001"),
        ("results", "table3", Task.ACL, _SP, "q", "0.006"),
        ("results", "table3", Task.ACL, _SP, "difference", "0.048"),
        ("results", "table3", Task.ACL, _AC, "p", "0.020"),
        ("results", "table3", Task.ACL, _AC, "q", "0.092"),
        ("results", "table3", Task.MENISCUS, _SE, "p", "0.028"),
        ("results", "table3", Task.MENISCUS, _SE, "q", "0.110"),
    )
    for section, table, task, metric, name, number in quoted:
        where = "Abstract" if section == "abstract" else "Results, Clinical utility"
        words = "mean difference with assistance" if name == "difference" else f"{name} of the change with assistance"
        yield Printed(
            f"{section}.assisted.{task}.{metric}.{name}",
            where,
            f"{metric}, {_name(task)}: {words}",
            number,
            of=f"{table}.{task}.{metric}.{name}",
        )
    where = "Results, Clinical utility"
    yield Printed(
        "results.assisted.acl.specificity.percent",
        where,
        "the same as a percentage",
        "4.8%",
        of="acl.specificity.percent",
    )
    yield Printed("results.negatives.acl", where, "exams negative for ACL tear", "62", of="negatives.acl")
    yield Printed(
        "results.fewer.acl", where, "fewer patients sent to surgery unnecessarily, of those", "3", of="fewer.acl"
    )
    for (task, metric), numbers in paper.S4.items():
        for name, number in zip("pq", numbers, strict=True):
            yield Printed(
                f"s4.{task}.{metric}.{name}",
                "Results, Clinical utility (S4 Table)",
                f"{metric}, {_name(task)}, general radiologists only: {name}",
                number,
                of=f"s4.{task}.{metric}.{name}",
            )


def _kappas() -> Iterator[Printed]:
    for task, number in paper.KAPPA_REFERENCE.items():
        yield Printed(
            f"results.kappa.{task}.reference",
            "Results",
            f"exact Fleiss kappa of the {paper.RATERS}, {_name(task)}",
            number,
            reason=paper.NO_READS,
        )
    for task, numbers in paper.KAPPA_READERS.items():
        for condition, number in zip(("unassisted", "assisted"), numbers, strict=True):
            yield Printed(
                f"results.kappa.{task}.{condition}",
                "Results, Clinical utility",
                f"exact Fleiss kappa of the {paper.READERS}, {condition}, {_name(task)}",
                number,
                reason=paper.NO_READS,
            )


def _external() -> Iterator[Printed]:
    trained = {"stanford": ("0.824", "0.757", "0.892"), "rijeka": ("0.911", "0.864", "0.958")}
    words = {"stanford": "trained at Stanford only", "rijeka": "trained on the external data"}
    for section in ("abstract", "results", "discussion"):
        for name, numbers in trained.items():
            for part, number in zip(("estimate", "lower", "upper"), numbers, strict=True):
                yield Printed(
                    f"{section}.external.{name}.{part}",
                    "Results, External validation" if section == "results" else section.capitalize(),
                    f"external AUC for ACL injury, {words[name]}"
                    + ("" if part == "estimate" else f", {part} 95% limit"),
                    number,
                    reason=paper.NO_EXTERNAL,
                )
    yield Printed(
        "results.external.stajduhar",
        "Results, External validation",
        "AUC of the best model of Štajduhar et al.",
        "0.894",
        reason=paper.OTHER_STUDY,
    )


def _claims() -> Iterator[Printed]:
    """Claims in words that the counts can bear out or not."""
    yield Printed(
        "results.abnormal.significance",
        "Results, Model performance",
        "smallest q of model against radiologists, abnormality",
        "no significant differences",
        of="smallest-q.table2.abnormal",
        rule="at least",
        bound=0.05,
    )
    yield Printed(
        "results.table2.others",
        "Results, Model performance",
        "smallest q of Table 2 beside ACL sensitivity and meniscal specificity",
        "no other significant differences",
        of="smallest-q.table2.others",
        rule="at least",
        bound=0.05,
    )
    yield Printed(
        "results.table3.others",
        "Results, Clinical utility",
        "smallest q of Table 3 beside ACL specificity",
        "no other significant improvements",
        of="smallest-q.table3.others",
        rule="at least",
        bound=0.05,
    )
    for role in ("radiologist", "surgeon"):
        yield Printed(
            f"discussion.acl.specificity.{role}",
            "Discussion",
            f"mean change of ACL specificity with assistance, {role}s",
            "improved",
            of=f"change.{role}.acl.specificity",
            rule="above",
        )
        for task in Task:
            yield Printed(
                f"discussion.improved.{task}.{role}",
                "Discussion",
                f"larger of the mean changes of sensitivity and specificity, {_name(task)}, {role}s",
                "improved sensitivity and/or specificity",
                of=f"change.{role}.{task}.best",
                rule="above",
            )
    yield Printed(
        "discussion.npv.abnormal",
        "Discussion",
        "negative predictive value for abnormality at threshold 0.5",
        "high",
        of="npv.abnormal",
        rule="at least",
        bound=0.9,
        contradiction="C7",
    )
    yield Printed(
        "discussion.rule-out.acl",
        "Discussion",
        "negative likelihood ratio for ACL tear at threshold 0.5 (below 0.1 rules out)",
        "may effectively rule out",
        of="lr-negative.acl",
        rule="below",
        bound=0.1,
        contradiction="C8",
    )


def _name(task: Task) -> str:
    name = task.display_name
    return name if name.startswith("ACL") else name.lower()
