from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from cxr.errors import UsageError
from cxr.train import linear_probe
from cxr.train.recipe import HeadPhase, robust_phases


@pytest.fixture
def learner(make_learner):
    return make_learner()


def features_of(learner, split):
    images = getattr(learner.dls, split).images
    grey = torch.from_numpy(images.pixels[images.rows]).unsqueeze(1)
    with torch.no_grad():
        return learner.model.eval().features(grey).double().numpy(), images.targets


def test_the_head_is_scikit_learns_optimum(learner):
    learner.freeze()
    learner.fit_head()
    x, y = features_of(learner, "train")
    mean, spread = x.mean(0), np.sqrt(x.var(0) + learner.model.head[0].eps)
    peer = LogisticRegression(C=2 / linear_probe.PENALTY, tol=1e-10, max_iter=10_000)
    peer.fit((x - mean) / spread, y)
    logits, _ = learner.logits("valid")
    seen, _ = features_of(learner, "valid")
    expected = peer.decision_function((seen - mean) / spread)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected, atol=2e-3)


def test_several_labels_with_unknown_ones(make_learner, multi_label_dls):
    several = make_learner(multi_label_dls, metrics=None)
    several.freeze()
    record = several.fit_head(2)
    assert record.values[-1][1] < np.log(2)


def test_the_body_stays_and_the_same_seed_gives_the_same_head(make_learner):
    first, second = make_learner(), make_learner()
    body = [p.clone() for p in first.model.body.parameters()]
    for one in (first, second):
        one.freeze()
        one.fit_head(2)
    assert all(torch.equal(a, b) for a, b in zip(body, first.model.body.parameters(), strict=True))
    pairs = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_after_the_head_the_body(learner):
    phases = robust_phases(1, 2e-3, views=1, strategy="cached")
    assert phases[0] == HeadPhase(1)
    assert phases[1].rates == [1e-3, 1e-3, 1e-4]
    assert robust_phases(0) == [HeadPhase(1)]
    assert robust_phases(1, views=0, strategy="cached") == phases[1:]
    learner.fit_phases(phases)
    assert learner.fits == 2


def test_no_view_no_head(learner):
    with pytest.raises(UsageError, match="views=0: at least 1"):
        learner.fit_head(0)
