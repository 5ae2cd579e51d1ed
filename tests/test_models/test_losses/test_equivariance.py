import pytest
import torch

from mmldm.models.losses import Equivariance

ADDRESSES = [(0, i) for i in range(200)]


def identity(transform):
    x = torch.randn(1, 1, 4, 8)
    return transform(x, 1) is x


def test_the_share_of_iterations_is_prob():
    draws = [Equivariance(prob=0.3).draw(address) for address in ADDRESSES]
    assert sum(map(identity, draws)) / 200 == pytest.approx(0.7, abs=0.1)


def test_a_draw_is_a_function_of_its_address():
    x = torch.randn(2, 3, 16, 8)
    for address in ADDRESSES[:10]:
        first, second = (
            Equivariance(prob=1.0).draw(address)(x, 1) for _ in range(2)
        )
        torch.testing.assert_close(first, second)
    sizes = {Equivariance(1.0).draw(a)(x, 1).shape for a in ADDRESSES}
    assert len(sizes) > 20


def test_images_keep_the_size_of_their_latents():
    """Sides are f times those of the latents, whatever was drawn."""
    for address in ADDRESSES:
        transform = Equivariance(prob=1.0).draw(address)
        z = transform(torch.randn(1, 4, 7, 5), 1)
        x = transform(torch.randn(1, 3, 28, 20), 4)
        assert [4 * side for side in z.shape[2:]] == [*x.shape[2:]]


def test_scales_cover_min_scale_to_1_apart_on_both_sides():
    scales = torch.tensor(
        [
            sorted(
                side / 64
                for side in Equivariance(1.0, min_scale=0.5)
                .draw(address)(torch.zeros(1, 1, 64, 64), 1)
                .shape[2:]
            )
            for address in ADDRESSES
        ]
    )
    assert 0.5 <= scales.min() < 0.53
    assert 0.97 < scales.max() <= 1
    assert (scales[:, 0] < scales[:, 1]).float().mean() > 0.9


def test_without_scaling_images_are_turned():
    x = torch.randn(1, 3, 4, 8)
    turned = [torch.rot90(x, turns, (2, 3)) for turns in range(4)]
    seen = set()
    for address in ADDRESSES[:40]:
        y = Equivariance(prob=1.0, min_scale=1.0).draw(address)(x, 1)
        (match,) = (
            i
            for i, other in enumerate(turned)
            if y.shape == other.shape and torch.allclose(y, other)
        )
        seen.add(match)
    assert seen == {0, 1, 2, 3}


def test_shrinking_does_not_alias():
    """The finest stripes become grey, not stripes of another width."""
    stripes = torch.tensor([-1.0, 1.0]).repeat(32).expand(1, 1, 64, 64)
    for address in ADDRESSES[:40]:
        y = Equivariance(prob=1.0, min_scale=0.25).draw(address)(stripes, 1)
        if max(y.shape[2:]) < 40:
            assert y[..., 2:-2, 2:-2].abs().max() < 0.3
            return
    raise AssertionError('no draw shrank both sides')


@pytest.mark.parametrize('name', ['prob', 'min_scale'])
@pytest.mark.parametrize('value', [0, 1.5])
def test_values_outside_0_to_1_are_refused(name, value):
    with pytest.raises(ValueError, match=rf'{name}={value} must be in \(0, 1'):
        Equivariance(**{name: value})
