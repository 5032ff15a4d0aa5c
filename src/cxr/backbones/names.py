"""Which backbones there are: our short names, and every timm name."""

from __future__ import annotations

from ..errors import UnknownName

EFFICIENTNET_LITE0 = "efficientnet_lite0"

TIMM_NAMES = {
    EFFICIENTNET_LITE0: "tf_efficientnet_lite0",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
}


def timm_name(name: str) -> str:
    """`efficientnet_lite0` -> `tf_efficientnet_lite0`; a timm name is returned as it is.

    Raises UnknownName, with near names, for anything else.
    """
    import timm

    if name in TIMM_NAMES:
        return TIMM_NAMES[name]
    if timm.is_model_pretrained(name) or ("." not in name and timm.is_model(name)):
        return name
    known = {*TIMM_NAMES, *timm.list_models(), *timm.list_pretrained()}
    raise UnknownName("backbone", name, known, hint="any timm model name will do")


class models:
    """The named backbones, as the first post writes them."""

    efficientnet_lite0 = EFFICIENTNET_LITE0
    resnet18 = "resnet18"
    resnet34 = "resnet34"
    resnet50 = "resnet50"


efficientnet_lite0 = models.efficientnet_lite0
resnet18 = models.resnet18
resnet34 = models.resnet34
resnet50 = models.resnet50
