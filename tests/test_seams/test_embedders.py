"""Embedders of somebody else: several slots, and a loss of their own."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from torch import nn

from mmldm.models.conditioners import Conditioner, Embedder
from mmldm.models.conditioners.dropping import unless_dropped
from mmldm.structures import Condition
from mmldm.utils import SampleRandom


def captions(data_samples, drop):
    return unless_dropped(lambda s: s.caption, data_samples, drop, '')


class Words(Embedder):
    """A token for each letter, and the letters' mean as a vector."""

    tokens_join = 'channels'
    reads = ('caption',)

    def __init__(self, width, pooled, length=4):
        super().__init__()
        self.table = nn.Embedding(128, width)
        self.pool = nn.Linear(width, pooled)
        self.dims = dict(tokens=width, vector=pooled)
        self.length = length

    def forward(self, data_samples, drop, encode=None):
        texts = captions(data_samples, drop)
        texts = [text[: self.length].ljust(self.length) for text in texts]
        ids = torch.tensor([[ord(c) for c in text] for text in texts])
        tokens = self.table(ids.to(self.device))
        mask = (ids != ord(' ')).to(self.device)
        return Condition(self.pool(tokens.mean(1)), tokens, mask)


class Titled(Words):
    """Words whose vector has to say how long the caption is."""

    def losses(self, cond, data_samples, drop):
        lengths = [len(text) for text in captions(data_samples, drop)]
        wanted = torch.tensor(lengths, device=self.device).float()
        return dict(length=F.mse_loss(cond.vector.sum(1), wanted))


@pytest.fixture
def samples(labelled):
    """Captions of several lengths."""
    samples = [labelled(3, address=(0, i)) for i in range(3)]
    for sample, caption in zip(samples, ('a', 'bcd', 'ef'), strict=True):
        sample.caption = caption
    return samples


def words(width, pooled, **options):
    return dict(type='Words', width=width, pooled=pooled, **options)


def test_two_text_encoders_of_other_widths_are_joined(register, samples):
    """As in SDXL: tokens by channels, pooled vectors side by side."""
    register(Words)
    conditioner = Conditioner([words(12, 3), words(20, 5)])
    assert conditioner.slots == ('tokens', 'vector')
    assert (conditioner.dim('tokens'), conditioner.dim('vector')) == (32, 8)
    cond = conditioner(samples)
    keep = torch.zeros(3, dtype=torch.bool)
    for tokens, vector, embedder in zip(
        cond.tokens.split([12, 20], 2),
        cond.vector.split([3, 5], 1),
        conditioner.embedders,
        strict=True,
    ):
        own = embedder(samples, keep)
        assert torch.equal(tokens, own.tokens)
        assert torch.equal(vector, own.vector)
    assert cond.tokens_mask.sum(1).tolist() == [1, 3, 2]
    null = conditioner.null(samples)
    assert not null.tokens_mask.any()
    assert null.tokens.shape == cond.tokens.shape


def test_a_token_without_mask_counts_behind_others(register, samples):
    register(Words)
    label = dict(type='ClassEmbedder', num_classes=10, embed_dim=32)
    conditioner = Conditioner([words(12, 3), words(20, 5), label])
    cond = conditioner(samples)
    assert cond.tokens.shape == (3, 5, 32)
    assert cond.tokens_mask[:, 4].all()
    assert cond.tokens_mask[:, :4].sum(1).tolist() == [1, 3, 2]


def test_both_slots_reach_the_denoiser(register, samples, tiny_ldm):
    register(Words)
    model = tiny_ldm(
        conditioner=dict(embedders=[words(12, 3), words(20, 5)]),
        denoiser=dict(context_dim=32, vector_dim=8),
    )
    seen = []
    model.denoiser.register_forward_pre_hook(
        lambda module, args: seen.append(args[2])
    )
    model.predict(None, samples)
    cond = model.conditioner(samples)
    for slot in ('tokens', 'vector', 'tokens_mask'):
        assert torch.equal(getattr(seen[0], slot), getattr(cond, slot)), slot


@pytest.mark.parametrize(
    'embedders, message',
    [
        (
            [words(12, 3), words(20, 5, length=6)],
            "Words.tokens_join='channels', but it makes 6 tokens .* make 4",
        ),
        ([dict(type='Short', width=12, pooled=3)], 'Short.dims=.*Condition'),
        (
            [dict(type='Narrow', width=12, pooled=3)],
            r"Narrow.dims=.*'vector': 4.*fills .*'vector': 3",
        ),
    ],
)
def test_what_does_not_fit_is_refused(register, samples, embedders, message):
    class Short(Words):
        def forward(self, data_samples, drop, encode=None):
            return super().forward(data_samples, drop).tokens

    class Narrow(Words):
        def __init__(self, width, pooled):
            super().__init__(width, pooled)
            self.dims = dict(tokens=width, vector=pooled + 1)

    register(Words, Short, Narrow)
    with pytest.raises(ValueError, match=message):
        Conditioner(embedders)(samples)


def test_an_unknown_join_is_refused(register):
    class Stacked(Words):
        tokens_join = 'rows'

    register(Words, Stacked)
    embedders = [words(12, 3), dict(type='Stacked', width=12, pooled=3)]
    with pytest.raises(ValueError, match="Stacked.tokens_join='rows' must be"):
        Conditioner(embedders)


def titled_ldm(tiny_ldm, drop_prob=0.0):
    return tiny_ldm(
        conditioner=dict(
            embedders=[dict(type='Titled', width=8, pooled=2)],
            drop_prob=drop_prob,
        ),
        denoiser=dict(vector_dim=2),
    )


def test_a_loss_of_an_embedder_is_logged_and_trains_it(
    register, samples, tiny_ldm
):
    register(Titled)
    model = titled_ldm(tiny_ldm).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    data = dict(inputs=[torch.zeros(3, 8, 8).byte()] * 3, data_samples=samples)
    logged = [model.train_step(data, OptimWrapper(optimizer)) for _ in '12']
    assert logged[1]['loss_length'] < logged[0]['loss_length']
    total = logged[0]['loss_denoise'] + logged[0]['loss_length']
    torch.testing.assert_close(logged[0]['loss'], total)


def test_a_loss_of_an_embedder_hears_what_is_dropped(
    register, samples, tiny_ldm
):
    register(Titled)
    model = titled_ldm(tiny_ldm, drop_prob=1.0)
    (embedder,) = model.conditioner.embedders
    everything = torch.ones(3, dtype=torch.bool)
    expected = embedder(samples, everything).vector.sum(1).square().mean()
    losses = model.loss(torch.zeros(3, 3, 8, 8), samples)
    torch.testing.assert_close(losses['loss_length'], expected)
    random = SampleRandom.of(samples)
    encode = model.autoencoder.encode
    (terms,) = model.conditioner.with_losses(samples, random, encode)[1]
    assert terms[0] == 'conditioner.embedders.0'


def test_two_terms_of_one_name_are_refused(register, samples, tiny_ldm):
    register(Titled)
    titled = dict(type='Titled', width=4, pooled=1)
    model = tiny_ldm(
        conditioner=dict(embedders=[titled, titled]),
        denoiser=dict(vector_dim=2),
    )
    message = (
        "model.conditioner.embedders.1 has a loss term 'length', which the "
        'model has from model.conditioner.embedders.0'
    )
    with pytest.raises(ValueError, match=message):
        model.loss(torch.zeros(3, 3, 8, 8), samples)
