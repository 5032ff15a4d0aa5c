"""CLAIM 2024: studies of artificial intelligence in medical imaging."""

from __future__ import annotations

from . import answers_data as data
from . import answers_model as model
from . import answers_results as results
from .item import Checklist, human, part, whole

CLAIM_2024 = Checklist(
    key="claim_2024",
    name="CLAIM 2024",
    reference=(
        "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical "
        "Imaging (CLAIM): 2024 Update. Radiology: Artificial Intelligence 2024"
    ),
    doi="10.1148/ryai.240300",
    checked=(
        "Numbers and topics of the 44 items follow a public summary, not the journal's table, "
        "which was not at hand; compare with it before you submit. The scope of items 10, 17 and "
        "21 is least certain."
    ),
    sections={
        "Title and abstract": (
            part(
                "1",
                "The study is named as one of AI, with the kind of technology",
                "Put the kind of technology into the title.",
                model.technology,
            ),
            part(
                "2",
                "Abstract: design, methods, results, conclusions",
                "Write the abstract; these figures belong into it.",
                results.accuracy_in_brief,
            ),
        ),
        "Introduction": (
            human(
                "3",
                "Background, and the part that the model is to play",
                "Say what is done today, what the model would change, and for whom.",
            ),
            human(
                "4",
                "Aims and hypotheses",
                "Say what was asked and what was expected before the data were looked at.",
            ),
        ),
        "Methods: design": (
            human(
                "5",
                "Prospective or retrospective",
                "Say whether the images were taken for this study or lay there already.",
            ),
            part(
                "6",
                "Goal of the study",
                "Say whether it is a first trial, a comparison, or meant for use.",
                model.goal,
            ),
        ),
        "Methods: data": (
            part(
                "7",
                "Where the data come from",
                "Name hospitals, country, years; link the data set if it is public.",
                data.population,
            ),
            part(
                "8",
                "Who and what was taken in and left out",
                "Say how patients were chosen before the files were put together.",
                data.left_out,
            ),
            whole(
                "9",
                "Preprocessing",
                "Say how files became the network's input.",
                data.preprocessing,
            ),
            part(
                "10",
                "Parts of the data or of the image that were used",
                "Say if views, series or regions were selected before, and by whom.",
                data.subset_of_image,
            ),
            human(
                "11",
                "De-identification",
                "Say how and by whom it was done (`cxr deidentify` does it for DICOM).",
            ),
            part(
                "12",
                "Missing data",
                "Say what was missing in the records and what that may distort.",
                data.missing_data,
            ),
            human(
                "13",
                "How the images were taken",
                "Give machines, projection, exposure, position, and how images were digitised.",
            ),
        ),
        "Methods: reference standard": (
            part(
                "14",
                "What counts as the truth, and how it was found",
                "Define each class so that another team would label alike.",
                data.outcome,
            ),
            human(
                "15",
                "Why this reference standard",
                "Name what could have been used instead, and why it was not.",
            ),
            part(
                "16",
                "Who gave the labels",
                "Give the number, training and experience of the readers.",
                data.labels_as_given,
            ),
            human(
                "17",
                "How the test images were labelled",
                "Say how, with which software, and what readers could see.",
            ),
            human(
                "18",
                "Agreement between readers, and of a reader with themselves",
                "Give a measure of agreement and say how disagreement was settled.",
            ),
        ),
        "Methods: partitions": (
            whole(
                "19", "How images came to each part", "Give rule and proportions.", data.partition
            ),
            whole(
                "20",
                "Level at which the parts share nothing",
                "Patient, study or image.",
                data.disjoint,
            ),
        ),
        "Methods: testing data": (
            part(
                "21",
                "Intended sample size",
                "Say how many were needed, and by which calculation.",
                data.sizes_as_given,
            ),
        ),
        "Methods: model": (
            whole("22", "The model in detail", "Inputs, layers, outputs.", model.architecture),
            whole("23", "Software with versions", "List all with versions.", model.software),
            whole(
                "24",
                "Initial weights",
                "Name the source of pretrained weights, or say random.",
                model.initial_weights,
            ),
        ),
        "Methods: training": (
            part(
                "25",
                "Training in detail",
                "Say how the settings were found, and how many were tried.",
                model.training,
            ),
            whole("26", "How the final model was chosen", "Give the rule.", model.selection),
            whole("27", "Ensembles", "Say which models, and how joined.", model.one_network),
        ),
        "Methods: evaluation": (
            whole("28", "Measures of performance", "List them.", results.measures),
            whole("29", "Uncertainty and significance", "Give the method.", results.uncertainty),
            part(
                "30",
                "Robustness and sensitivity",
                "Run `cxr stress`, and say which changes matter where you are.",
                results.robustness,
            ),
            part(
                "31",
                "Explanation, and how it was tested",
                "Say whether explanations were used, and whether they were right.",
                results.explanation,
            ),
            whole(
                "32", "Evaluation on data of the same source", "Say which.", results.internal_test
            ),
            human(
                "33",
                "Testing on data from elsewhere",
                "Run `cxr evaluate` on another hospital's images, or say why there is none.",
            ),
            human("34", "Registration as a trial", "Give the number, or say that it was no trial."),
        ),
        "Results: data": (
            part(
                "35",
                "Numbers taken in and left out",
                "Add the patients who were left out before; draw the flow.",
                data.left_out,
                data.numbers,
            ),
            part(
                "36",
                "Who the patients are, in each part",
                "Add age, sex, illness and machine for each part.",
                data.characteristics,
            ),
        ),
        "Results: performance": (
            whole("37", "Performance with uncertainty", "Give all measures.", results.performance),
            whole(
                "38",
                "Diagnostic accuracy with its precision",
                "Sensitivity, specificity and their intervals.",
                results.at_operating_point,
            ),
            part(
                "39",
                "Failures",
                "Look at the images that went wrong and say what they have in common.",
                results.failures,
            ),
        ),
        "Discussion": (
            part(
                "40",
                "Limits of the study",
                "Add bias in who was imaged and how, and where the figures will not hold.",
                results.limits,
            ),
            human(
                "41",
                "What it means for practice",
                "Say who might use it, for what, and what must be shown first.",
            ),
        ),
        "Other information": (
            part(
                "42",
                "Full protocol or technical details",
                "Link the protocol, and put the run's files where readers can get them.",
                model.technical_details,
            ),
            part(
                "43",
                "Availability of software, model and data",
                "Say where model and images can be had, under which terms.",
                model.files,
            ),
            human("44", "Funding, and the funders' part", "Name funders and what they decided."),
        ),
    },
)
