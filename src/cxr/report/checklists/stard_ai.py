"""STARD-AI: studies of how accurate an AI is as a diagnostic test."""

from __future__ import annotations

from . import answers_data as data
from . import answers_model as model
from . import answers_results as results
from .item import Checklist, human, part, whole

STARD_AI = Checklist(
    key="stard_ai",
    name="STARD-AI",
    reference=(
        "Sounderajah V, Guni A, Liu X, et al. The STARD-AI reporting guideline for diagnostic "
        "accuracy studies using artificial intelligence. Nature Medicine 2025;31:3283-3289"
    ),
    doi="10.1038/s41591-025-03953-8",
    checked=(
        "Numbers and topics of the 40 items (48 rows) follow a public transcript that says that it "
        "was compared with the paper's table 2; we could not compare it ourselves. Items 6, 11 to "
        "14, 15b, 15d, 23, 28, 29, 35, 39, 40a and 40b are new against STARD 2015."
    ),
    sections={
        "Title and abstract": (
            part(
                "1",
                "Named as a study of an AI's diagnostic accuracy, with a measure of it",
                "Put both into title or abstract.",
                model.technology,
                results.accuracy_in_brief,
            ),
            human("2", "Abstract in sections", "Write it by STARD for Abstracts."),
        ),
        "Introduction": (
            human(
                "3",
                "Background, intended use, new or known test, place in the workflow",
                "Say what the test is for and what it would change.",
            ),
            human("4", "Objectives and hypotheses", "Say what was asked and expected."),
        ),
        "Methods: design and ethics": (
            human("5", "Data collected after or before the plan", "Say which."),
            human("6", "Approval by an ethics committee", "Name it, or say why none was needed."),
        ),
        "Methods: participants": (
            part(
                "7",
                "Who and which images were taken in and left out, in order",
                "Add how patients were chosen.",
                data.left_out,
            ),
            human("8", "How patients were found", "By symptoms, by earlier tests, by a register?"),
            human("9", "Where and when", "Give hospitals, place and dates."),
            human("10", "Consecutive, random or convenience series", "Say which."),
        ),
        "Methods: data set": (
            part(
                "11",
                "Source, and whether routine, made for the study, or public",
                "Say which of the three, and link what is public.",
                data.population,
            ),
            part(
                "12",
                "Who labelled, with what experience, and how",
                "Give readers, experience, and what they could see.",
                data.labels_as_given,
            ),
            part(
                "13",
                "Machines that took the images; software of the test",
                "Add maker and model of the machines.",
                model.software,
            ),
            part(
                "14",
                "How images were taken and prepared",
                "Add projection, position and exposure.",
                data.preprocessing,
            ),
        ),
        "Methods: index test": (
            whole(
                "15a",
                "The AI, so that others can repeat it",
                "Describe it.",
                model.architecture,
                model.computed,
            ),
            part(
                "15b",
                "How it was developed, with the size of each part",
                "Add evaluation elsewhere, and how settings were found.",
                model.initial_weights,
                model.training,
                data.partition,
                model.selection,
            ),
            part(
                "15c",
                "Cut-off and why, set before or explored",
                "Say why this rule, and whether it was set before the images were looked at.",
                model.output,
            ),
            human("15d", "Who is to use it, and what they must know", "Name users and training."),
        ),
        "Methods: reference standard": (
            part(
                "16a",
                "Reference standard, so that others can repeat it",
                "Define each class and how it was found.",
                data.outcome,
            ),
            human("16b", "Why this one", "Name what could have been used instead."),
            human("16c", "Its cut-offs", "Say from where on an image counted as positive."),
            whole("17a", "What the index test was given besides", "Say.", model.blind_model),
            human("17b", "What the judges of the truth knew", "Say if they saw the AI's answer."),
        ),
        "Methods: analysis": (
            whole(
                "18",
                "Methods of estimating accuracy",
                "Give measures and intervals.",
                results.measures,
                results.uncertainty,
            ),
            part(
                "19",
                "Results that were not clear",
                "Say what was done with doubtful labels and with unsure answers.",
                model.uncertain_images,
            ),
            part("20", "Missing data", "Add what the records missed.", data.missing_data),
            part(
                "21",
                "Variation in accuracy, planned or explored",
                "Say which groups were planned before.",
                results.subgroups,
                results.robustness,
            ),
            part("22", "Intended sample size", "Give the calculation.", data.sizes_as_given),
            part(
                "23",
                "Analysis of errors, bias and fairness",
                "Say which groups were looked at, or that none was.",
                results.failures,
                results.subgroups,
            ),
        ),
        "Results: participants and data": (
            part(
                "24",
                "Flow, as a diagram",
                "Add those left out before.",
                data.left_out,
                data.numbers,
            ),
            part(
                "25",
                "Characteristics of each part, of people and machines",
                "Add age, sex, illness and machines.",
                data.characteristics,
            ),
            human("26a", "How ill those with the condition were", "Give grades of severity."),
            human("26b", "What those without it had", "List their diagnoses."),
            human("27", "Time between image and reference standard", "Give it, and treatment."),
            human(
                "28",
                "Whether the data resemble those it is meant for",
                "Compare the share of ill with that in practice.",
            ),
            human(
                "29",
                "How data from elsewhere differ",
                "Compare, once `cxr evaluate` was run on other images.",
            ),
        ),
        "Results: test": (
            whole("30", "Index test by reference standard", "Cross-tabulate.", results.cross_table),
            whole(
                "31",
                "Accuracy with its precision",
                "Give intervals.",
                results.at_operating_point,
                results.accuracy_in_brief,
            ),
            human("32", "Harm by index test or reference standard", "Say if any."),
        ),
        "Discussion": (
            part(
                "33",
                "Limits: bias, uncertainty, where it holds",
                "Add whom the sample misses.",
                results.limits,
            ),
            human("34", "What it means for practice", "Say for whom, and in which role."),
            human("35", "Ethics of its use, and fairness", "Say who may be harmed, and how."),
        ),
        "Other information": (
            human("36", "Registration", "Give register and number, or say none."),
            human("37", "Protocol", "Link it, or say that there is none."),
            human("38", "Funding, and the funders' part", "Name funders and what they decided."),
            human("39", "Commercial interests", "Declare them, or say none."),
            part(
                "40a",
                "Availability of data and code",
                "Say where images and labels can be had, on which terms.",
                model.files,
            ),
            part(
                "40b",
                "Whether outputs are kept and can be audited",
                "Say who keeps them, for how long, and who may look.",
                model.stored_outputs,
            ),
        ),
    },
)
