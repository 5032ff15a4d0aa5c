from __future__ import annotations

import pytest
import torch

from cxr.prepare import Augmentation
from cxr.train import activation_cache
from cxr.train.activation_cache import VIEWS, ActivationCache, ImageSource, make_batch_source


@pytest.fixture
def frozen(make_learner):
    """A learner whose head alone learns."""
    learner = make_learner(precision="fp32")
    learner.freeze()
    return learner


def inputs(batches):
    return torch.cat([x for x, _ in batches])


def test_activations_are_kept_only_where_it_saves_work(make_learner, frozen):
    assert isinstance(make_batch_source(frozen, VIEWS), ImageSource)
    assert isinstance(make_batch_source(frozen, VIEWS + 1), ActivationCache)
    frozen.unfreeze()
    assert isinstance(make_batch_source(frozen, 100), ImageSource)


def test_too_much_to_keep_is_computed_anew(frozen, monkeypatch):
    n_features = frozen.model.head[0].num_features
    n = VIEWS * frozen.dls.train.n_images + frozen.dls.valid.n_images
    monkeypatch.setattr(activation_cache, "MAX_CACHED_BYTES", n * n_features * 4)
    assert isinstance(make_batch_source(frozen, VIEWS + 1), ActivationCache)
    monkeypatch.setattr(activation_cache, "MAX_CACHED_BYTES", n * n_features * 4 - 1)
    assert isinstance(make_batch_source(frozen, VIEWS + 1), ImageSource)


def test_what_is_kept_is_what_the_frozen_layers_give(frozen):
    feed = make_batch_source(frozen, VIEWS + 1)
    kept = feed.valid()
    images = torch.cat([grey for grey, _ in frozen.dls.valid])
    with torch.no_grad():
        torch.testing.assert_close(inputs(kept), frozen.model.eval().features(images))
        torch.testing.assert_close(feed.network(inputs(kept)), frozen.model(images))
    for (_, found), (_, expected) in zip(kept, frozen.dls.valid, strict=True):
        assert torch.equal(found, expected)


def test_epochs_take_turns_with_the_views(frozen):
    frozen.dls.train.augmentation = Augmentation()
    feed = make_batch_source(frozen, 10)
    views = [feed.train(epoch).activations for epoch in range(2 * VIEWS)]
    assert all(views[i] is views[i + VIEWS] for i in range(VIEWS))
    assert not torch.allclose(views[0], views[1])


def test_a_view_depends_on_its_number_alone(frozen):
    """Not on the order of the epochs before it: a continued run begins in the middle."""
    frozen.dls.train.augmentation = Augmentation()
    first = make_batch_source(frozen, 10)
    first.train(0)
    list(first.train(0))
    torch.rand(5)
    expected = first.train(1).activations
    assert torch.equal(make_batch_source(frozen, 10).train(1).activations, expected)
    frozen.fits += 1
    assert not torch.equal(make_batch_source(frozen, 10).train(1).activations, expected)


def test_batches_are_shuffled_with_their_targets(frozen):
    batches = make_batch_source(frozen, 10).train(0)
    assert len(batches) == len(frozen.dls.train)
    targets = torch.from_numpy(frozen.dls.train.images.targets)
    for x, y in batches:
        where = [(batches.activations == row).all(dim=1).nonzero()[0, 0] for row in x]
        assert torch.equal(targets[torch.stack(where)], y)
    assert not torch.equal(inputs(batches), inputs(batches))


def test_a_long_frozen_fit_learns_and_leaves_the_body_as_it_was(frozen):
    body = {name: t.clone() for name, t in frozen.model.body.state_dict().items()}
    frozen.fit_one_cycle(VIEWS + 3, 1e-2)
    assert frozen.validate()[1] < 0.2
    assert all(torch.equal(t, body[name]) for name, t in frozen.model.body.state_dict().items())
