"""The words of a dossier, and what each measure means and cannot show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureNote:
    """What a measure says, in words.

    Attributes:
        meaning: one clause for a reader outside.
        silent_on: what the number cannot show.
    """

    meaning: str
    silent_on: str


MEASURES: dict[str, MeasureNote] = {
    "sensitivity": MeasureNote(
        meaning="share of the positive cases that the model flags",
        silent_on="how many negative cases it flags as well",
    ),
    "specificity": MeasureNote(
        meaning="share of the negative cases that the model leaves alone",
        silent_on="how many positive cases it misses",
    ),
    "ppv": MeasureNote(
        meaning="share of the flagged cases that are positive",
        silent_on="anything where positives are rarer or more frequent than in these data",
    ),
    "npv": MeasureNote(
        meaning="share of the cases left alone that are negative",
        silent_on="anything where positives are rarer or more frequent than in these data",
    ),
    "accuracy": MeasureNote(
        meaning="share of the cases answered rightly",
        silent_on="which kind of error is made; with rare positives it can be high for nothing",
    ),
    "balanced_accuracy": MeasureNote(
        meaning="mean over the classes of the share answered rightly",
        silent_on="which class fails, and what an error costs",
    ),
    "f1": MeasureNote(
        meaning="harmonic mean of sensitivity and ppv",
        silent_on="the cases that are rightly left alone, and other shares of positives",
    ),
    "auc": MeasureNote(
        meaning="chance that a positive case scores above a negative one",
        silent_on="how the model does at the threshold it is used with",
    ),
    "average_precision": MeasureNote(
        meaning="mean ppv over all thresholds, weighted by the gain in sensitivity",
        silent_on="anything where positives are rarer or more frequent than in these data",
    ),
    "brier": MeasureNote(
        meaning="mean squared distance of the score from the truth",
        silent_on="whether ranking or calibration is what falls short",
    ),
    "expected_calibration_error": MeasureNote(
        meaning="mean distance between the score and the share of positives at that score",
        silent_on="whether the scores separate anything: a constant can be calibrated",
    ),
}

LIMITS: tuple[str, ...] = (
    "The intervals cover chance alone: other cases of the same kind. They say nothing about "
    "other sites, devices or times than those in the data.",
    "The labels are taken as true. An error in them moves every measure.",
    "A group that is not listed was not measured. Groups are not crossed, so that a gap at "
    "the meeting of two groups can stay hidden.",
    "A check that found nothing shows that this kind of fault was looked for, and that the "
    "check can fail; it does not show that there is no other kind.",
    "The signature shows who ran the stages and that nothing changed since; it does not show "
    "that the data were what their table says.",
)

WORDS: tuple[tuple[str, str], ...] = (
    ("met", "the whole interval satisfies the bound."),
    (
        "not met",
        "the whole interval violates the bound; within a family of rows the interval is "
        "widened first (Holm's correction), so that a long table accuses nobody by chance.",
    ),
    (
        "not shown",
        "the evidence does not decide it, or there is none. Missing evidence is never met.",
    ),
    (
        "interval",
        "a two-sided confidence interval: at alpha it misses the true value in a share alpha "
        "of such studies. Where a subject has several cases, it counts subjects.",
    ),
    (
        "corrected interval",
        "the interval at the level that Holm's correction used for this row of its family.",
    ),
    ("requirement", "what the release needs, written before the run, with its bound."),
    ("measurement", "a number with its unit, n, interval, method and subgroup."),
    ("n", "the measure's denominator: for sensitivity, the positive cases."),
    ("finding", "something that a person should look at, with a remedy."),
    (
        "control",
        "a planted fault that a check must catch in the same run: proof that it can fail.",
    ),
    (
        "false-alarm rate",
        "how often a control's check would accuse an honest input.",
    ),
    ("stage", "a step that turns artifacts into artifacts, measurements and findings."),
    ("artifact", "a file or folder, known by its digest."),
    ("digest", "the SHA-256 of some bytes: the same digest, the same bytes."),
    (
        "statement",
        "the signed record of one stage's run; a number on these pages is a place in one.",
    ),
    ("ledger", "the append-only log of statements (ledger.json), with a proof for each."),
    (
        "replay",
        "running a stage again and comparing: within a stated tolerance, or integrity only.",
    ),
    ("disparity", "a measured difference between groups; it says nothing about its cause."),
)
