from __future__ import annotations

import copy

import pytest
import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn

from cxr.backbones import Architecture, Network, build_network
from cxr.backbones.folding import fold_norms
from cxr.train.optimizer import make_optimizer


def settle(body: nn.Module, seed: int = 0) -> None:
    """Statistics as a trained network has them: none is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for layer in body.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.copy_(torch.randn(layer.num_features, generator=generator) * 0.1)
            layer.running_var.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)
            layer.weight.data.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)


def both(backbone: str, size: int = 64) -> tuple[Network, Network]:
    """A network as timm makes it, and folded."""
    torch.manual_seed(0)
    plain = Network(Architecture(backbone, 2, size)).eval()
    settle(plain.body)
    return plain, copy.deepcopy(plain).fold()


def grey(n: int = 4, size: int = 64) -> Tensor:
    return torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(1))


def gradients(network: Network, dtype: torch.dtype) -> dict[str, Tensor]:
    features = network.to(dtype).features(grey().to(dtype))
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    (features * weights).sum().backward()
    return {name: p.grad for name, p in network.body.named_parameters()}


def n_folded(network: nn.Module) -> int:
    return sum("Folding" in type(layer).__name__ for layer in network.modules())


@pytest.mark.parametrize(
    ("backbone", "dtype", "tolerance"),
    [
        ("efficientnet_lite0", torch.float32, 1e-3),
        ("test_efficientnet", torch.float32, 1e-3),
        ("resnet18", torch.float64, 1e-9),  # in fp32 other cells win its max-pooling
    ],
)
def test_features_and_gradients_stay_the_same(
    backbone: str, dtype: torch.dtype, tolerance: float
) -> None:
    plain, folded = both(backbone)
    convolutions = sum(isinstance(m, nn.Conv2d) for m in plain.body.modules())
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in plain.body.modules())
    assert n_folded(folded) == norms <= convolutions
    found, expected = folded.features(grey()), plain.features(grey())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    expected = gradients(plain, dtype)
    for name, gradient in gradients(folded, dtype).items():
        error = (gradient - expected[name]).norm() / expected[name].norm()
        assert error < tolerance, name


def test_names_weights_and_layers_stay_the_same() -> None:
    plain, folded = both("test_efficientnet")
    assert list(folded.state_dict()) == list(plain.state_dict())
    assert all(map(torch.equal, folded.state_dict().values(), plain.state_dict().values()))
    for before, after in zip(plain.modules(), folded.modules(), strict=True):
        assert isinstance(after, type(before))


def test_a_stem_with_equal_statistics_takes_one_grey_channel() -> None:
    plain, folded = both("efficientnet_lite0")
    assert plain.normalise(grey()).shape[1] == 3
    assert folded.normalise(grey()).shape[1] == 1
    resnet = both("resnet18")[1]
    assert resnet.normalise(grey()).shape[1] == 3


@pytest.mark.parametrize("bf16", [False, True])
def test_in_inference_changed_weights_are_noticed(bf16: bool) -> None:
    network = both("efficientnet_lite0")[1]

    def output() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return network(grey())

    seen = [output()]
    assert torch.equal(output(), seen[0])
    with torch.no_grad():
        network.body.conv_stem.weight.mul_(1.5)
    seen.append(output())
    network.body.bn1.running_mean.add_(1.0)
    seen.append(output())
    network.load_state_dict(both("efficientnet_lite0")[0].state_dict())
    assert torch.equal(output(), seen[0])
    optimizer = make_optimizer([list(network.parameters())], 0.0)
    optimizer.param_groups[0]["lr"] = 0.01
    network(grey()).sum().backward()
    output()  # between the gradient and the step
    optimizer.step()
    seen.append(output())
    for i, early in enumerate(seen):
        for late in seen[i + 1 :]:
            assert not torch.allclose(early, late)


def test_training_steps_of_any_optimizer_are_noticed() -> None:
    network = both("test_efficientnet")[1]
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, fused=True)  # leaves no trace
    with torch.no_grad():
        before = network(grey())
    network(grey()).sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert not torch.allclose(network(grey()), before)


def test_norms_that_learn_run_as_they_are() -> None:
    plain, folded = both("test_efficientnet")
    for network in (plain, folded):
        network.body.train()
    expected = plain.features(grey())
    torch.testing.assert_close(folded.features(grey()), expected, rtol=1e-4, atol=1e-4)
    for name, tensor in plain.body.named_buffers():
        torch.testing.assert_close(folded.body.get_buffer(name), tensor, rtol=1e-4, atol=1e-5)


class Twice(nn.Module):
    """The convolution's output is used beside its norm, which no layer shows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.bn(y) + y


class Reused(nn.Module):
    """One convolution with two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.conv(self.one(self.conv(x))))


@pytest.mark.parametrize("kind", [Twice, Reused])
def test_a_network_that_cannot_be_folded_is_left_alone(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    body = kind().eval()
    settle(body)
    x = torch.randn(2, 3, 16, 16)
    expected = body(x)
    assert not fold_norms(body, 16)
    assert n_folded(body) == 0
    assert torch.equal(body(x), expected)


def test_only_what_it_understands_is_folded() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(
        Conv2dSame(3, 8, 3, stride=2),
        BatchNormAct2d(8, act_layer=nn.SiLU),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding="same"),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 1),
        nn.BatchNorm2d(8, affine=False),
    ).eval()
    settle(body[:6])
    x = torch.randn(2, 3, 17, 16)
    expected = body(x)
    assert fold_norms(body, 16)
    assert n_folded(body) == 1
    torch.testing.assert_close(body(x), expected, rtol=1e-4, atol=1e-5)


def test_a_network_without_norms_is_not_even_run() -> None:
    assert not fold_norms(nn.Sequential(nn.Linear(5, 2)), 64)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
def test_an_exporter_sees_the_layers_as_they_are() -> None:
    network = both("test_efficientnet")[1]
    traced = torch.jit.trace(network, grey(), check_trace=False)
    assert "mkldnn" not in str(traced.inlined_graph)
    torch.testing.assert_close(traced(grey()), network(grey()), rtol=1e-4, atol=1e-4)


def test_a_copy_answers_for_itself() -> None:
    network = build_network(Architecture("test_efficientnet", 2, 64), None)[0].eval()
    with torch.no_grad():
        before = network(grey())
        twin = copy.deepcopy(network)
        for parameter in twin.body.parameters():
            parameter.mul_(0.5)
        assert torch.equal(network(grey()), before)
        assert not torch.allclose(twin(grey()), before)


def test_few_images_of_changing_shape_are_answered_as_many_are() -> None:
    network = both("efficientnet_lite0")[1]
    images = grey(6)
    with torch.inference_mode():
        together = network(images)
        for n in (1, 3, 1):
            torch.testing.assert_close(network(images[:n]), together[:n], rtol=1e-4, atol=1e-5)
        small = network(images[:1, :, :48, :48])
        torch.testing.assert_close(network(images[:1]), together[:1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(small, together[:1])
