"""TRIPOD+AI: studies that develop or evaluate a prediction model."""

from __future__ import annotations

from . import answers_data as data
from . import answers_model as model
from . import answers_results as results
from .item import Checklist, human, part, whole

TRIPOD_AI = Checklist(
    key="tripod_ai",
    name="TRIPOD+AI",
    reference=(
        "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for "
        "reporting clinical prediction models that use regression or machine learning methods. "
        "BMJ 2024;385:e078378"
    ),
    doi="10.1136/bmj-2023-078378",
    checked=(
        "Numbers and topics of the 27 items (52 with sub-items) follow a public transcript of the "
        "statement's table. Its checklist for abstracts (item 2) is not part of this list."
    ),
    sections={
        "Title and abstract": (
            part(
                "1",
                "Title: a prediction model, developed or evaluated, for whom and what",
                "Put people, outcome, and development or evaluation into the title.",
                model.goal,
                data.outcome,
            ),
            part(
                "2",
                "Abstract, by TRIPOD+AI's own list",
                "Write it by that list; these figures belong into it.",
                results.accuracy_in_brief,
            ),
        ),
        "Introduction": (
            human(
                "3a",
                "Setting in health care, reason, models that there are",
                "Say that it is diagnostic, why it is needed, and name earlier models.",
            ),
            human(
                "3b",
                "For whom it is meant, where in care, who would use it",
                "Name patients, the moment in their care, and the users.",
            ),
            human(
                "3c",
                "Known inequalities in health",
                "Say between which groups, and whether the images may carry them.",
            ),
            part("4", "Objectives", "Say what was asked.", model.goal),
        ),
        "Methods: data and participants": (
            part(
                "5a",
                "Sources of the data, why these, whom they represent",
                "Name the source and say whom it leaves out.",
                data.population,
            ),
            human("5b", "Dates", "Give the first and last date of the images."),
            human("6a", "Setting", "Give the kind of care, number and place of centres."),
            part(
                "6b",
                "Who could take part",
                "Say how patients were chosen before the files were put together.",
                data.left_out,
            ),
            human("6c", "Treatments", "Say what patients had received before the image."),
            part(
                "7",
                "Preparation and checks of the data",
                "Say whether both were alike for all groups of people.",
                data.preprocessing,
                data.quality_check,
            ),
        ),
        "Methods: outcome": (
            part(
                "8a",
                "The outcome: what, when, how found, why this one",
                "Define it, and say whether it was found alike in all groups of people.",
                data.outcome,
                data.labels_as_given,
            ),
            human("8b", "Who judged the outcome", "Give readers' training and background."),
            human("8c", "Blinding of the outcome", "Say what readers knew when they labelled."),
        ),
        "Methods: predictors": (
            whole("9a", "Which predictors, and why", "Name them.", model.image_only),
            part(
                "9b",
                "Predictors defined: how and when measured",
                "Say when images were taken, on which machines.",
                data.preprocessing,
                model.blind_model,
            ),
            whole("9c", "Who judged predictors", "Say who.", model.no_reader),
        ),
        "Methods: analysis": (
            part(
                "10",
                "Sample size",
                "Say why it is enough, by which calculation.",
                data.sizes_as_given,
            ),
            part(
                "11",
                "Missing data",
                "Say what was missing in the records, and why.",
                data.missing_data,
            ),
            whole(
                "12a",
                "How data were used and divided",
                "Give parts and rule.",
                data.partition,
                data.disjoint,
            ),
            whole("12b", "How predictors were treated", "Give scaling.", data.preprocessing),
            part(
                "12c",
                "Kind of model, steps of building, tuning, internal validation",
                "Say why this kind, and how settings were found.",
                model.architecture,
                model.initial_weights,
                model.training,
                model.selection,
            ),
            part(
                "12d",
                "Differences between clusters (hospitals, countries)",
                "Say how they were measured, or that there was one centre.",
                results.by_site,
            ),
            part(
                "12e",
                "Measures and plots of performance, and why these",
                "Say why these suit the use that is meant.",
                results.measures,
                results.uncertainty,
            ),
            whole("12f", "Updating after evaluation", "Say if any.", results.no_update),
            whole("12g", "How predictions were computed", "Say how.", model.computed),
            part("13", "Class imbalance", "Say why, if anything was done.", model.imbalance),
            part(
                "14",
                "Fairness: what was done for it",
                "Say which groups matter and why; measure them by a column of the table.",
                results.subgroups,
            ),
            part("15", "Output, classes and thresholds", "Say why this rule.", model.output),
            part(
                "16",
                "Differences between development and evaluation data",
                "Compare setting, patients and outcome, once there are data from elsewhere.",
                data.same_source,
            ),
            human("17", "Ethics", "Name the committee, the number, and consent or its waiver."),
        ),
        "Open science": (
            human("18a", "Funding", "Name funders and what they decided."),
            human("18b", "Conflicts of interest", "Declare them for all authors."),
            human("18c", "Protocol", "Link it, or say that there is none."),
            human("18d", "Registration", "Give register and number, or say that there is none."),
            human("18e", "Data", "Say where images and labels can be had, on which terms."),
            part(
                "18f",
                "Code",
                "Say where the code of the study can be had.",
                model.files,
            ),
        ),
        "Patient and public involvement": (
            human("19", "Part that patients and public had", "Say which, or that there was none."),
        ),
        "Results": (
            part(
                "20a",
                "Flow of participants",
                "Add those left out before; draw it.",
                data.left_out,
                results.events,
            ),
            part(
                "20b",
                "Characteristics, by source and group",
                "Add age, sex, illness, dates and machines.",
                data.characteristics,
            ),
            part(
                "20c",
                "Evaluation data beside development data",
                "Add what the table does not hold.",
                data.characteristics,
            ),
            whole("21", "Participants and events in each analysis", "Count.", results.events),
            part(
                "22",
                "The whole model, so that others can use it",
                "Say where model.cxr can be had, on which terms.",
                model.files,
                model.computed,
            ),
            part(
                "23a",
                "Performance with intervals, also of groups",
                "Add groups of people that matter here.",
                results.performance,
                results.calibration,
                results.subgroups,
            ),
            part(
                "23b",
                "Differences in performance between clusters",
                "Give figures by hospital, or say that there was one.",
                results.by_site,
            ),
            whole("24", "Results of updating", "Give them.", results.no_update),
        ),
        "Discussion": (
            human("25", "Interpretation", "Compare with earlier models; speak of fairness."),
            part(
                "26",
                "Limits",
                "Add whom the sample misses, and what that does to the figures.",
                results.limits,
            ),
            part(
                "27a",
                "Poor or missing input in use",
                "Say how users would notice a poor image, and what they should do.",
                model.uncertain_images,
            ),
            human("27b", "What users do, and what they must know", "Say who, and how trained."),
            human("27c", "Next steps", "Say where it should be measured next."),
        ),
    },
)
