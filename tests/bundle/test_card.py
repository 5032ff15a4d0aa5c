"""What a model file says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxr.bundle import DISCLAIMER, BundleConfig
from cxr.bundle.card import model_card
from cxr.errors import UsageError
from helpers.cards import HOSTILE, SETTINGS, front, headings, shown


def test_the_card_of_the_bundle_says_what_is_known_and_what_is_not(config: BundleConfig) -> None:
    card = model_card(config)
    assert DISCLAIMER in card
    assert "No figures are in this file" in card
    assert "**NOT PROVIDED**" in card  # nobody said under which licence
    found = front(card)
    assert found["library_name"] == "cxr"
    assert found["pipeline_tag"] == "image-classification"
    assert not {"license", "model-index", "metrics"} & set(found)


def test_text_of_the_user_stays_text(config: BundleConfig) -> None:
    nasty = replace(
        config,
        population=HOSTILE,
        classes=("NORMAL", HOSTILE),
        positive=HOSTILE,
        weights_source=HOSTILE,
    )
    calm, card = model_card(config), model_card(nasty)
    assert headings(card) == headings(calm)
    assert front(card).keys() == front(calm).keys()
    assert front(card).get("license") is None
    seen = " ".join(HOSTILE.replace("\u202e", "").split())
    assert seen in shown(card)  # the population, letter by letter
    assert card.encode()


def test_no_place_on_a_disk_is_shown(config: BundleConfig) -> None:
    environment = {"python": "3.12.0", "versions": {"cxr": "0.1.0", "timm": None}}
    card = model_card(config, settings=SETTINGS, environment=environment)
    assert "secret" not in card and "somebody" not in card
    assert "| epochs | `2` |" in card
    assert "| augment | `yes` |" in card
    assert "| class weights | `none` |" in card
    assert "| `cxr` | `0.1.0` |" in card
    assert "timm" not in card


def test_very_many_classes_are_cut_short(config: BundleConfig) -> None:
    card = model_card(replace(config, classes=tuple(f"c{i}" for i in range(2000)), positive=None))
    assert "c29 and 1,970 more" in card
    assert "The most probable class is the answer" in card


def test_the_licence_is_the_users(config: BundleConfig) -> None:
    card = model_card(config, license="cc-by-4.0")
    assert front(card)["license"] == "cc-by-4.0"
    assert "NOT PROVIDED" not in card
    with pytest.raises(UsageError, match="is no identifier"):
        model_card(config, license="mine\ntags: [x]")


def test_scaling_is_named(config: BundleConfig) -> None:
    assert "divided by 1.5" in model_card(config)
    vector = {"kind": "vector", "factors": [1.0, 1.0], "biases": [0.0, 0.1]}
    assert "factor and a bias" in model_card(replace(config, temperature=1.0, calibration=vector))
