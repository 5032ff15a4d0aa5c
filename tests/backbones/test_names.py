from __future__ import annotations

import pytest

import cxr
from cxr.backbones import TIMM_NAMES, timm_name
from cxr.errors import UnknownName


def test_our_names_and_every_timm_name():
    assert timm_name("efficientnet_lite0") == "tf_efficientnet_lite0"
    for name in ("resnet18", "resnet34", "resnet50", "vit_small_patch16_224", "resnet18.a1_in1k"):
        assert timm_name(name) == name


@pytest.mark.parametrize("name", TIMM_NAMES)
def test_a_name_is_exported_as_the_posts_write_it(name):
    assert getattr(cxr, name) == getattr(cxr.models, name) == name


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("resnet81", "resnet18"),
        ("resnet18.a9_in1k", "resnet18.a1_in1k"),
        ("efficientnet_light0", "efficientnet_lite0"),
    ],
)
def test_an_unknown_name_lists_near_ones_once(wrong, near):
    with pytest.raises(UnknownName, match=f"unknown backbone '{wrong}'; near names: ") as error:
        timm_name(wrong)
    listed = str(error.value).split("near names: ")[1].split("; ")[0].split(", ")
    assert near in listed
    assert len(listed) == len(set(listed))
