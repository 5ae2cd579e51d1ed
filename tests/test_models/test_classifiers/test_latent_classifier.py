import pytest
import torch

from mmldm.models.classifiers import LatentClassifier


@pytest.fixture
def classifier(awaken):
    return awaken(
        LatentClassifier(
            in_channels=4,
            num_classes=7,
            channel_mults=(1, 2),
            num_res_blocks=1,
            attn_factors=(2,),
        )
    ).eval()


def test_logits_follow_from_latent_and_time(classifier):
    z, t = torch.randn(2, 4, 5, 8), torch.tensor([10.0, 900.0])
    logits = classifier(z, t)
    assert logits.shape == (2, 7)
    same, later = classifier(z, t), classifier(z, t.flip(0))
    assert torch.equal(same, logits)
    assert not torch.allclose(later, logits, atol=1e-3)
    alone = classifier(z[1:], t[1:])
    torch.testing.assert_close(alone, logits[1:], rtol=1e-4, atol=1e-4)


def test_every_weight_and_the_latent_get_a_gradient(classifier):
    z = torch.randn(2, 4, 8, 8, requires_grad=True)
    classifier(z, torch.tensor([10.0, 900.0])).square().sum().backward()
    assert z.grad.all()
    assert all(w.grad.any() for w in classifier.parameters())


@pytest.mark.parametrize(
    'options, heads',
    [(dict(attn_factors=()), 0), (dict(attn_factors=(1, 2)), 4)],
)
def test_attention_is_where_it_is_asked_for(options, heads):
    network = LatentClassifier(
        4, 7, channel_mults=(1, 2), num_res_blocks=2, num_heads=2, **options
    )
    found = [m.num_heads for m in network.modules() if hasattr(m, 'num_heads')]
    assert found == [2] * heads


def test_dropout_arrives(classifier):
    network = LatentClassifier(4, 7, dropout=0.25)
    rates = {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.25}
