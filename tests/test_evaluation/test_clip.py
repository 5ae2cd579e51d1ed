"""CLIP's features, score and discrepancy, by tiny random networks."""

import json

import pytest
import torch
import torch.nn.functional as F

from mmldm.evaluation import CLIPScore
from mmldm.evaluation.feature_collector import FeatureCollector
from mmldm.evaluation.feature_moments import FeatureMoments
from mmldm.evaluation.feature_sets import FeatureSet, compare_sets
from mmldm.models.feature_networks import (
    CLIPFeatures,
    EfficientNetLiteFeatures,
)
from mmldm.structures import LDMDataSample

SIZES = dict(
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
)
SIDE = 16


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A folder with a network and a tokenizer of letters."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('clip')
    letters = [f'{letter}</w>' for letter in 'abcd']
    words = [*letters, '<|startoftext|>', '<|endoftext|>']
    text = dict(
        SIZES,
        vocab_size=len(words),
        max_position_embeddings=6,
        bos_token_id=4,
        eos_token_id=5,
    )
    config = CLIPConfig(
        text_config=text,
        vision_config=dict(SIZES, image_size=SIDE, patch_size=8),
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    ids = {word: i for i, word in enumerate(words)}
    (folder / 'vocab.json').write_text(json.dumps(ids))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    return str(folder)


@pytest.fixture
def images():
    return torch.randint(0, 256, (6, 3, SIDE, SIDE), dtype=torch.uint8)


def embedded(clip, images):
    """The image embeddings of transformers, with CLIP's constants."""
    from transformers import CLIPModel

    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        )
    )
    model = CLIPModel.from_pretrained(clip).eval()
    with torch.no_grad():
        pixels = (images / 255 - mean) / std
        hidden = model.vision_model(pixels).pooler_output
        return model, F.normalize(model.visual_projection(hidden), dim=-1)


def test_features_are_the_embeddings_of_norm_1(clip, images):
    network = CLIPFeatures(clip)
    found = network(images).features
    assert (network.num_features, network.side) == (8, SIDE)
    torch.testing.assert_close(
        found, embedded(clip, images)[1], rtol=0, atol=1e-5
    )


def test_the_score_is_the_mean_cosine_with_the_caption(clip, images, judge):
    captions = ['a b', 'c', 'd d', 'a', 'b c d', 'c a']
    samples = []
    for image, caption in zip(images, captions, strict=True):
        sample = LDMDataSample(caption=caption)
        sample.pred_img = image
        samples.append(sample)
    model, wanted = embedded(clip, images)
    tokens = CLIPScore(clip).tokenizer.ids(captions)
    with torch.no_grad():
        hidden = model.text_model(tokens).pooler_output
        texts = F.normalize(model.text_projection(hidden), dim=-1)
    cosines = (wanted * texts).sum(1)
    assert cosines.min() < 0 < cosines.max()
    for batch_size in (1, 4):
        found = judge(CLIPScore(clip), samples, batch_size)
        assert found['clip/score'] == pytest.approx(
            100 * cosines.clamp(min=0).mean().item(), abs=1e-4
        )


def test_images_without_captions_have_no_score(clip, images, judge):
    sample = LDMDataSample()
    sample.pred_img = images[0]
    with pytest.raises(ValueError, match='CLIPScore needs captions'):
        judge(CLIPScore(clip), [sample])


@pytest.mark.parametrize('network', [CLIPFeatures, CLIPScore])
def test_a_folder_without_clip_is_refused(network, tmp_path):
    with pytest.raises(ValueError, match='pretrained=.* a CLIP network'):
        network(str(tmp_path))


def feature_set(features):
    moments = FeatureMoments(features.shape[1])
    moments.add(features)
    return FeatureSet(moments, dict(network='CLIPFeatures'), features)


def test_the_discrepancy_of_two_points_is_in_closed_form():
    """1 - exp(-d^2 / 2 / 10^2), twice, times 1000."""
    points = [torch.zeros(3, 2), torch.zeros(2, 2) + torch.tensor([3.0, 4.0])]
    found = compare_sets(*map(feature_set, points), ['cmmd'])['cmmd']
    kernel = torch.tensor(-25 / 200, dtype=torch.float64).exp()
    assert found == pytest.approx(2000 * (1 - kernel.item()), abs=1e-9)


def test_the_discrepancy_is_that_of_the_whole_matrix(monkeypatch):
    """Computed in blocks; and 0 for a set and itself."""
    monkeypatch.setattr('mmldm.evaluation.feature_sets.ROWS', 4)
    x, y = (F.normalize(torch.randn(n, 8), dim=1) for n in (11, 7))

    def mean(a, b):
        distance = (a[:, None] - b).double().square().sum(-1)
        return (-distance / 200).exp().mean().item()

    wanted = 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))
    found = compare_sets(feature_set(x), feature_set(y), ['cmmd'])['cmmd']
    assert found == pytest.approx(wanted, abs=1e-6)
    same = compare_sets(feature_set(x), feature_set(x), ['cmmd'])['cmmd']
    assert same == pytest.approx(0, abs=1e-9)


def test_the_discrepancy_of_other_features_is_refused(images):
    collector = FeatureCollector(EfficientNetLiteFeatures(32), True)
    collector.add([*images])
    found = collector.finish(len(images))
    with pytest.raises(ValueError, match="features=dict.type='CLIPFeatures'"):
        compare_sets(found, found, ['cmmd'])
