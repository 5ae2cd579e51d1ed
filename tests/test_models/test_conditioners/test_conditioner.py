import pytest
import torch

from mmldm.models.conditioners import Conditioner
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils import SampleRandom


def classes(**overrides):
    return dict(type='ClassEmbedder', num_classes=10, embed_dim=4, **overrides)


def features():
    return dict(type='PrecomputedFeatures', embed_dim=4)


@pytest.fixture
def samples(labelled):
    return [labelled(label, address=(0, label)) for label in range(10)]


def rows(conditioner, condition):
    """The row of the embedding that each sample got; 10 is 'no class'."""
    weight = conditioner.embedders[0].embedding.weight
    equal = (condition.tokens == weight).all(-1)
    return equal.int().argmax(-1).tolist()


LABELS = list(range(10))


@pytest.mark.parametrize('drop_prob', [0.0, 0.5, 1.0])
def test_nothing_is_dropped_without_draws(samples, drop_prob):
    conditioner = Conditioner([classes()], drop_prob)
    assert rows(conditioner, conditioner(samples)) == LABELS


@pytest.mark.parametrize(
    'drop_prob, expected', [(0.0, LABELS), (1.0, [10] * 10)]
)
def test_a_drop_prob_of_0_keeps_all_and_1_none(samples, drop_prob, expected):
    conditioner = Conditioner([classes()], drop_prob)
    condition = conditioner(samples, SampleRandom.of(samples))
    assert rows(conditioner, condition) == expected


def test_samples_are_dropped_at_their_rate(labelled):
    samples = [labelled(0, address=(0, i)) for i in range(2000)]
    conditioner = Conditioner([classes()], drop_prob=0.1)
    dropped = rows(conditioner, conditioner(samples, SampleRandom.of(samples)))
    rate = dropped.count(10) / 2000
    assert rate == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / 2000) ** 0.5)


def dropped(conditioner, samples):
    """(2, B): which samples a class and features say nothing of."""
    tokens = conditioner(samples, SampleRandom.of(samples)).tokens
    null = conditioner.null(samples).tokens
    assert not null[:, 1].any()
    return (tokens == null).all(-1).T


@pytest.fixture
def many(labelled):
    """2000 samples with a class and features."""
    samples = [labelled(3, address=(0, i)) for i in range(2000)]
    for sample in samples:
        sample.features = torch.ones(1, 4)
    return samples


def test_conditions_are_dropped_at_their_own_rates(many):
    """Independently: both as often as the product says."""
    probs = [0.3, 0.6]
    conditioner = Conditioner([classes(), features()], probs)
    found = dropped(conditioner, many)
    both = (found[0] & found[1]).float().mean().item()
    rates = [*found.float().mean(1).tolist(), both]
    for rate, p in zip(rates, [*probs, 0.3 * 0.6], strict=True):
        assert rate == pytest.approx(p, abs=4 * (p * (1 - p) / 2000) ** 0.5)


def test_one_number_drops_all_conditions_together(many):
    """By the draw 'drop', as it ever was: a training resumes."""
    conditioner = Conditioner([classes(), features()], 0.4)
    found = dropped(conditioner, many)
    expected = SampleRandom.of(many).uniform('drop') < 0.4
    assert torch.equal(found, expected.expand(2, -1))


@pytest.mark.parametrize(
    'probs, expected', [([0, 1], [False, True]), ([1.0, 0.0], [True, False])]
)
def test_every_embedder_has_its_probability(many, probs, expected):
    conditioner = Conditioner([classes(), features()], probs)
    found = dropped(conditioner, many[:5])
    assert torch.equal(found.T, torch.tensor(expected).expand(5, -1))
    kept = conditioner(many[:5]).tokens
    assert not (kept == conditioner.null(many[:5]).tokens).all(-1).any()


def test_what_is_dropped_apart_is_so_in_any_batch_and_order(many):
    probs = [0.5, 0.5]
    conditioner = Conditioner([classes(), features()], probs)
    samples = many[:20]
    whole = dropped(conditioner, samples)
    alone = [dropped(conditioner, [sample]) for sample in samples[::-1]]
    assert torch.equal(torch.cat(alone[::-1], dim=1), whole)
    # What the first has changes nothing for the second.
    other = dropped(Conditioner([classes(), features()], [0.1, 0.5]), samples)
    assert torch.equal(other[1], whole[1])
    assert not torch.equal(other[0], whole[0])


def test_the_same_samples_are_dropped_in_any_batch(samples):
    conditioner = Conditioner([classes()], drop_prob=0.5)
    whole = rows(conditioner, conditioner(samples, SampleRandom.of(samples)))
    alone = [
        rows(conditioner, conditioner([s], SampleRandom.of([s])))[0]
        for s in samples
    ]
    assert whole == alone
    assert 0 < whole.count(10) < 10


def test_null_is_the_last_embedding(samples):
    conditioner = Conditioner([classes()])
    assert rows(conditioner, conditioner.null(samples)) == [10] * 10


def test_what_a_negative_leaves_open_is_null(samples, labelled):
    """A class leaves features open, and features the class."""
    conditioner = Conditioner([classes(), features()])
    for sample in samples:
        sample.features = torch.ones(2, 4)
    samples[2].negative = labelled(7)
    samples[5].negative = LDMDataSample(features=2 * torch.ones(2, 4))
    null = conditioner.null(samples).tokens
    weight = conditioner.embedders[0].embedding.weight
    labels = [10] * 10
    labels[2] = 7
    torch.testing.assert_close(null[:, 0], weight[labels])
    told = torch.zeros(10, 2, 4)
    told[5] = 2
    torch.testing.assert_close(null[:, 1:], told)


def test_a_negative_that_tells_no_embedder_anything_is_refused(samples):
    samples[2].negative = LDMDataSample(caption='x')
    with pytest.raises(ValueError, match='has no gt_label, which'):
        Conditioner([classes(), features()]).null(samples)


def test_null_is_the_negative_of_samples_that_have_one(samples, labelled):
    conditioner = Conditioner([classes()], drop_prob=1.0)
    samples[2].negative, samples[5].negative = labelled(7), labelled(0)
    expected = [10] * 10
    expected[2], expected[5] = 7, 0
    assert rows(conditioner, conditioner.null(samples)) == expected
    assert rows(conditioner, conditioner(samples)) == LABELS


def test_embedders_fill_their_slots(samples):
    conditioner = Conditioner([classes(), classes(slot='vector')])
    condition = conditioner(samples)
    tokens, vector = (e.embedding.weight[:10] for e in conditioner.embedders)
    torch.testing.assert_close(condition.tokens, tokens[:, None])
    torch.testing.assert_close(condition.vector, vector)
    assert condition.spatial is None
    assert conditioner.slots == ('tokens', 'vector')


def test_a_slot_has_the_width_of_its_embedder():
    conditioner = Conditioner([classes()])
    assert conditioner.dim('tokens') == 4
    assert conditioner.dim('vector') is None


def test_tokens_of_several_embedders_are_one_sequence(samples):
    """In the order of the embedders."""
    for sample in samples:
        sample.features = torch.rand(2, 4)
    given = torch.stack([sample.features for sample in samples])
    for order in ([0, 1], [1, 0]):
        embedders = [[classes(), features()][i] for i in order]
        conditioner = Conditioner(embedders)
        found = conditioner(samples).tokens
        learned = conditioner.embedders[order.index(0)].embedding.weight[:10]
        parts = [[learned[:, None], given][i] for i in order]
        torch.testing.assert_close(found, torch.cat(parts, dim=1))
        assert conditioner.dim('tokens') == 4
        assert conditioner.slots == ('tokens',)


def test_vectors_of_several_embedders_lie_side_by_side(samples):
    wide = dict(type='ClassEmbedder', num_classes=10, embed_dim=3)
    conditioner = Conditioner(
        [classes(slot='vector'), dict(wide, slot='vector')]
    )
    weights = [e.embedding.weight[:10] for e in conditioner.embedders]
    found = conditioner(samples).vector
    torch.testing.assert_close(found, torch.cat(weights, dim=1))
    assert conditioner.dim('vector') == found.shape[1] == 7


def map_and_image(num_stages):
    return [
        dict(
            type='SemanticMap',
            num_classes=3,
            num_stages=num_stages,
            embed_dim=2,
        ),
        dict(type='LowResolution'),
    ]


@pytest.fixture
def mapped():
    """A map of 8x8 and a small image of 4x4."""
    shape = dict(img_shape=(8, 8), img_path='a.png')
    sample = LDMDataSample(metainfo=shape)
    sample.gt_sem_seg = torch.randint(3, (1, 8, 8))
    sample.img_lq = torch.randint(256, (3, 4, 4), dtype=torch.uint8)
    return sample


def test_what_is_spatial_lies_side_by_side(mapped):
    keep = torch.tensor([False])
    for order in (slice(None), slice(None, None, -1)):
        conditioner = Conditioner(map_and_image(1)[order])
        found = conditioner([mapped]).spatial
        parts = [e([mapped], keep) for e in conditioner.embedders]
        torch.testing.assert_close(found, torch.cat(parts, dim=1))
        assert conditioner.dim('spatial') == found.shape[1] == 5
        assert conditioner.null([mapped]).spatial.shape == found.shape


def test_slots_are_joined_apart(samples):
    """Embedders of one slot need not be neighbours."""
    for sample in samples:
        sample.features = torch.rand(2, 4)
    embedders = [classes(), classes(slot='vector'), features()]
    conditioner = Conditioner(embedders)
    condition = conditioner(samples)
    assert conditioner.slots == ('tokens', 'vector') == condition.filled[::-1]
    assert condition.tokens.shape == (10, 3, 4)
    assert condition.vector.shape == (10, 4)


def test_tokens_of_several_dimensions_are_refused():
    with pytest.raises(
        ValueError,
        match='dimensions ClassEmbedder 4, PrecomputedFeatures 6: give',
    ):
        Conditioner([classes(), dict(type='PrecomputedFeatures', embed_dim=6)])


def test_spatial_conditions_of_several_sizes_are_refused(mapped):
    conditioner = Conditioner(map_and_image(2))
    with pytest.raises(
        ValueError, match='sizes SemanticMap 2x2, LowResolution 4x4: give'
    ):
        conditioner([mapped])


def test_without_embedders_nothing_is_said(samples):
    conditioner = Conditioner()
    assert conditioner(samples, SampleRandom.of(samples)) == Condition()
    assert conditioner.null(samples) == Condition()


@pytest.mark.parametrize('prob', [-0.1, 1.1, float('nan'), '0.1', None])
def test_a_drop_prob_out_of_range_is_refused(prob):
    for embedders in ([classes()], []):
        with pytest.raises(ValueError, match=rf'^drop_prob={prob!r} must be'):
            Conditioner(embedders, prob)
    with pytest.raises(ValueError, match=rf'^drop_prob\[1\]={prob!r} must be'):
        Conditioner([classes(), features()], [0.1, prob])


@pytest.mark.parametrize('probs', [[], [0.1], (0.1, 0.1, 0.1)])
def test_a_drop_prob_for_each_embedder_is_asked_for(probs):
    message = rf'has {len(probs)} values, but there are 2 embedders: give one'
    with pytest.raises(ValueError, match=message):
        Conditioner([classes(), features()], probs)


def test_what_cannot_be_dropped_is_not(samples):
    embedders = [classes(), classes(slot='vector', null='none')]
    with pytest.raises(ValueError, match='drop_prob=0.1, but ClassEmbedder'):
        Conditioner(embedders, drop_prob=0.1)
    with pytest.raises(
        ValueError, match=r'drop_prob\[1\]=0.1, but ClassEmbedder has no null'
    ):
        Conditioner(embedders, drop_prob=[0.1, 0.1])
    kept = Conditioner(embedders, [0.1, 0])
    assert kept.never_dropped(['vector']) == ('ClassEmbedder',)
    assert kept.never_dropped(['tokens']) == ()
    assert Conditioner(embedders).without_null == ('ClassEmbedder',)
    assert Conditioner([classes()]).without_null == ()


def test_embedders_are_given_the_encoder(samples):
    conditioner = Conditioner([classes(), classes(slot='vector')])
    calls = []
    for embedder in conditioner.embedders:
        embedder.register_forward_pre_hook(
            lambda _, args: calls.append(args[2])
        )
    conditioner(samples, encode=torch.abs)
    conditioner.null(samples, torch.neg)
    assert calls == [torch.abs] * 2 + [torch.neg] * 2
