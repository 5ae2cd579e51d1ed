import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from sklearn.cluster import KMeans
from torch.utils._python_dispatch import TorchDispatchMode

from mmldm.models.layers import VectorQuantizer, code_search, quantizer
from mmldm.utils import SampleRandom
from mmldm.utils.distributed import leave_process_group

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / 'tests' / 'data' / 'reference' / 'vector_quantizer.npz'

ALL_REMEDIES = dict(
    ema_decay=0.8, kmeans_init=True, revive_after=2, normalize=True
)
MODES = dict(
    trained=dict(),
    averaged=dict(ema_decay=0.8),
    k_means=dict(kmeans_init=True),
    few_vectors=dict(kmeans_init=True, num_codes=100),
    revived=dict(revive_after=2),
    normalized=dict(normalize=True, revive_after=1),
    all=ALL_REMEDIES,
)


def noise_of(step, rank=0, num_ranks=1, batch=4):
    """The draws of this rank's samples of a global batch."""
    addresses = [(7, step, i) for i in range(batch)][rank::num_ranks]
    return SampleRandom(addresses).normal('revival')


def batch_of(step, batch=4):
    """Global batch (batch, 3, 4, 4) of a step."""
    generator = torch.Generator().manual_seed(step)
    return 1 + torch.randn(batch, 3, 4, 4, generator=generator)


def rows(z):
    return z.movedim(1, -1).flatten(0, -2)


def train(module, steps, rank=0, num_ranks=1):
    """Forward and, where codes are trained, a step of SGD, as DDP does."""
    for step in steps:
        z = batch_of(step)[rank::num_ranks]
        quantized = module(z, noise_of(step, rank, num_ranks))
        if module.codebook.requires_grad:
            module.zero_grad()
            quantized.losses['codebook'].backward()
            all_reduce(module.codebook.grad, 'mean')
            with torch.no_grad():
                module.codebook -= module.codebook.grad
    return quantized


def build(num_codes=24, **kwargs):
    """A quantiser of dim 3 with codes of the size of ``batch_of``."""
    torch.manual_seed(3)
    module = VectorQuantizer(num_codes, 3, **kwargs)
    codes = dict(codebook=2 * torch.randn(num_codes, 3))
    if kwargs.get('kmeans_init'):
        codes['initialized'] = torch.tensor(False)
    module.load_state_dict(codes)
    return module


@pytest.fixture
def z():
    return batch_of(0).requires_grad_()


def assert_same_state(module, expected):
    state = module.state_dict()
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


def copy_of_state(module):
    return {name: x.clone() for name, x in module.state_dict().items()}


def generated(name, shape):
    """Weights and inputs of the reference are functions of their names."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return torch.from_numpy(rng.standard_normal(shape)).float()


def test_the_original_gives_the_same():
    """``VectorQuantizer2(64, 4, beta=0.25)`` with ``legacy=True``."""
    expected = {k: torch.from_numpy(v) for k, v in np.load(REFERENCE).items()}
    z = generated('input:quantizer/z', (2, 4, 8, 8)).requires_grad_()
    module = VectorQuantizer(64, 4, beta=0.25, legacy_beta=True)
    codebook = generated('quantizer.embedding.weight', (64, 4)) / 4**0.5
    module.load_state_dict(dict(codebook=codebook))
    quantized = module(z, noise_of(0))
    loss = sum(quantized.losses.values())
    (quantized.z_q.square().mean() + loss).backward()
    assert torch.equal(quantized.indices, expected['indices'])
    for value, key in (
        (quantized.z_q.detach(), 'zq'),
        (loss.detach(), 'loss'),
        (z.grad, 'grad_z'),
        (module.codebook.grad, 'grad_codebook'),
    ):
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('normalize', [False, True])
def test_the_code_is_the_nearest(z, normalize):
    module = build(normalize=normalize)
    vectors, codes = rows(z), module.codes
    if normalize:
        vectors = vectors / vectors.norm(dim=1, keepdim=True)
        codes = module.codebook / module.codebook.norm(dim=1, keepdim=True)
        torch.testing.assert_close(module.codes, codes)
    nearest = torch.cdist(vectors.double(), codes.double()).argmin(1)
    assert torch.equal(module.lookup(z).flatten(), nearest)
    z_q = module.quantize(z)
    torch.testing.assert_close(rows(z_q), codes[nearest])
    assert z_q.is_contiguous()


def test_codes_start_within_their_range():
    codebook = VectorQuantizer(50, 40).codebook
    assert 0.019 < codebook.abs().max() <= 1 / 50
    unit = VectorQuantizer(50, 40, normalize=True).codebook
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(50))


@pytest.mark.parametrize('mode', ['trained', 'normalized', 'averaged'])
def test_the_gradient_goes_straight_through(z, mode):
    module = build(**MODES[mode])
    z_q = module.quantize(z)
    quantized = module(z, noise_of(0))
    weight = torch.randn_like(z)
    (quantized.z_q * weight).sum().backward()
    seen = F.normalize(z, dim=1) if module.normalize else z
    (expected,) = torch.autograd.grad((seen * weight).sum(), z)
    torch.testing.assert_close(z.grad, expected)
    assert module.codebook.grad is None
    assert torch.equal(quantized.z_q, z_q)


@pytest.mark.parametrize(
    'legacy_beta, commit, codebook', [(False, 0.1, 1), (True, 1, 0.1)]
)
def test_each_loss_pulls_one_side(z, legacy_beta, commit, codebook):
    module = build(beta=0.1, legacy_beta=legacy_beta)
    losses = module(z, noise_of(0)).losses
    error = (z - module.quantize(z)).detach()
    mean_square = error.square().mean()
    torch.testing.assert_close(losses['commit'], commit * mean_square)
    torch.testing.assert_close(losses['codebook'], codebook * mean_square)
    losses['commit'].backward()
    torch.testing.assert_close(z.grad, commit * 2 * error / error.numel())
    assert module.codebook.grad is None
    z.grad = None
    losses['codebook'].backward()
    pull = torch.zeros(24, 3)
    pull.index_add_(0, module.lookup(z).flatten(), rows(error))
    torch.testing.assert_close(
        module.codebook.grad, -codebook * 2 * pull / error.numel()
    )
    assert z.grad is None


def test_lengths_do_not_matter_where_they_are_normalized(z):
    module = build(normalize=True)
    one, other = (module(x, noise_of(0)) for x in (z, 1e-8 * z))
    assert torch.equal(one.indices, other.indices)
    assert torch.equal(one.indices, module.lookup(1e-8 * z))
    torch.testing.assert_close(one.losses, other.losses)
    torch.testing.assert_close(
        one.z_q.norm(dim=1), torch.ones(4, 4, 4), rtol=1e-6, atol=0
    )
    direction = z / z.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        one.losses['codebook'], (direction - one.z_q).square().mean()
    )


def test_usage_and_perplexity():
    """Codes in the shares 1/2, 1/4, 1/4 and 0: 1.5 bits."""
    module = VectorQuantizer(4, 1)
    module.load_state_dict(dict(codebook=torch.arange(4.0)[:, None]))
    z = torch.tensor([0.1, 2.0, 1.0, -3.0])[:, None, None, None]
    logs = module(z, noise_of(0)).logs
    assert float(logs['perplexity']) == pytest.approx(2**1.5)
    assert float(logs['code_usage']) == 0.75


def test_autocast_changes_no_code():
    module = build(num_codes=500)
    z = batch_of(1, batch=32)
    expected = module(z, noise_of(0, batch=32))
    with torch.autocast('cpu', torch.bfloat16):
        quantized = module(z, noise_of(0, batch=32))
        assert torch.equal(module.lookup(z), expected.indices)
    assert torch.equal(quantized.indices, expected.indices)
    assert torch.equal(quantized.z_q, expected.z_q)
    assert torch.equal(quantized.losses['commit'], expected.losses['commit'])
    half = module(z.bfloat16(), noise_of(0, batch=32))
    assert half.z_q.dtype == half.losses['commit'].dtype == torch.float32


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that an operation gave."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numel = max(self.numel, out.numel())
        return out


def test_distances_are_made_in_parts(z, monkeypatch):
    module = build(num_codes=100)
    whole = module.lookup(z)
    monkeypatch.setattr(code_search, 'MAX_DISTANCES', 750)
    with Largest() as largest:
        assert torch.equal(module.lookup(z), whole)
    assert largest.numel == 700


def test_codes_become_averages(monkeypatch):
    """van den Oord et al. 2017, app. A.1, with a smoothing that shows."""
    monkeypatch.setattr(quantizer, 'SMOOTHING', 0.3)
    module = build(ema_decay=0.9, num_codes=5)
    size = torch.ones(5, dtype=torch.float64)
    total = module.codebook.double()
    for step in range(3):
        z = batch_of(step)
        one_hot = torch.eye(5).double()[module.lookup(z).flatten()]
        assert len(module(z, noise_of(step)).losses) == 1
        size = 0.9 * size + 0.1 * one_hot.sum(0)
        total = 0.9 * total + 0.1 * one_hot.T @ rows(z).double()
        smooth = (size + 0.3) / (size.sum() + 5 * 0.3) * size.sum()
        torch.testing.assert_close(
            module.codebook, (total / smooth[:, None]).float()
        )
    assert not module.codebook.requires_grad


def test_an_unused_average_stays_where_it_is():
    module = build(ema_decay=0.9)
    module.codebook[5] = 100
    module.ema_sum[5] = 100
    train(module, range(20))
    torch.testing.assert_close(
        module.codebook[5], torch.full((3,), 100.0), rtol=1e-3, atol=0
    )


def elected(vectors, count, *noise):
    """The vectors with the highest random ranks."""
    keys = noise_of(*noise)(torch.empty(4, 2, 4, 4))[:, 0].flatten()
    return vectors[keys.argsort(descending=True)[:count]]


def test_codes_begin_as_those_of_k_means(z):
    """scikit-learn's, from the same vectors."""
    module = VectorQuantizer(6, 3, kmeans_init=True)
    vectors = rows(z.detach())
    reference = KMeans(6, init=elected(vectors, 6, 0), n_init=1, tol=0)
    expected = torch.tensor(reference.fit(vectors.numpy()).cluster_centers_)
    usage = module(z, noise_of(0)).logs['code_usage']
    torch.testing.assert_close(module.codes.detach(), expected)
    assert usage == 1


def test_normalized_k_means_is_on_the_sphere(z):
    """Each code points along the mean of its vectors' directions."""
    module = VectorQuantizer(6, 3, kmeans_init=True, normalize=True)
    indices = module(z, noise_of(0)).indices.flatten()
    directions = rows(z / z.norm(dim=1, keepdim=True))
    means = torch.stack([directions[indices == i].mean(0) for i in range(6)])
    torch.testing.assert_close(
        module.codebook, means / means.norm(dim=1, keepdim=True)
    )


def test_k_means_runs_in_the_first_training_step_alone(z):
    module = build(kmeans_init=True)
    before = copy_of_state(module)
    module.eval()(z, noise_of(0))
    assert_same_state(module, before)
    module.train()(z, noise_of(0))
    assert not torch.equal(module.codebook, before['codebook'])
    after = copy_of_state(module)
    module(batch_of(1), noise_of(1))
    assert_same_state(module, after)
    other = build(kmeans_init=True)
    other.load_state_dict(after)
    other(batch_of(1), noise_of(1))
    assert_same_state(other, after)


def test_k_means_of_few_vectors_takes_them_all():
    """64 vectors, 100 codes: each is a code, the rest lies close."""
    z = batch_of(0) / 1000
    module = VectorQuantizer(100, 3, kmeans_init=True)
    module(z, noise_of(0))
    torch.testing.assert_close(module.quantize(z), z, rtol=1e-5, atol=1e-9)
    assert len(module.codebook.unique(dim=0)) == 100
    distances = torch.cdist(module.codes.double(), rows(z).double())
    distances, nearest = distances.min(1)
    assert distances.max() < 1e-4
    assert nearest.bincount().tolist().count(2) == 100 - 64
    other = VectorQuantizer(100, 3, kmeans_init=True)
    other(z, noise_of(0))
    assert torch.equal(module.codebook, other.codebook)


@pytest.fixture
def reviving():
    """Codes 0 and 1 are used by ``near``, 0 to 2 by ``nearer``."""
    module = VectorQuantizer(6, 1, revive_after=3, ema_decay=0.5)
    codebook = torch.tensor([0.0, 1, 2, 50, 60, 70])[:, None]
    module.load_state_dict(dict(codebook=codebook))
    return module


def unasked(like):
    raise AssertionError('noise is drawn where no vector is elected')


def batch_like(*values):
    """(4, 1, 4, 4), every sample different."""
    values = torch.tensor(values).repeat(64 // len(values))
    return (values + torch.linspace(-0.2, 0.2, 64)).view(4, 1, 4, 4)


def test_dead_codes_become_vectors_of_the_batch(reviving):
    near, nearer = batch_like(0.0, 1.0), batch_like(0.0, 1.0, 2.0, 2.0)
    reviving(near, unasked)
    reviving(nearer, unasked)  # here code 2 is used
    assert (reviving.codebook[3:] > 49).all()
    z_q = reviving.quantize(near)
    quantized = reviving(near, noise_of(2))
    assert torch.equal(quantized.z_q, z_q)
    vectors = elected(near.flatten(), 3, 2)
    assert torch.equal(reviving.codebook[3:, 0], vectors)
    assert torch.equal(reviving.ema_sum[3:, 0], vectors)
    assert torch.equal(reviving.ema_size[3:], torch.ones(3))
    assert (reviving.codebook[2] > 1.7).all()
    assert reviving.idle.tolist() == [0, 0, 1, 0, 0, 0]


def test_a_revived_code_has_its_time_again(reviving):
    far = batch_like(0.0)
    for step in range(3):
        reviving(far, noise_of(step))
    revived = reviving.codebook[1:].clone()
    assert (revived.abs() < 0.3).all()
    away = batch_like(-5.0)
    for step in range(2):
        reviving(away, noise_of(step))
        assert (reviving.codebook > -1).sum() == 5
    reviving(away, noise_of(2))
    assert (reviving.codebook < -4).all()


def test_few_vectors_revive_as_many_codes(reviving):
    """2 vectors and 5 dead codes: 2 at once, 2 and 1 in the next steps."""
    z = torch.tensor([[-5.0], [-5.5]])[..., None, None]
    noise = noise_of(0, batch=2)
    for near in (0, 0, 2, 4, 5):
        reviving(z, noise)
        assert (reviving.codebook[1:] < -4).sum() == near


def test_no_vector_revives_two_codes():
    module = VectorQuantizer(50, 3, revive_after=1)
    module(batch_of(0), noise_of(0))
    alive = module.codebook[module.idle == 0]
    assert len(alive.unique(dim=0)) == len(alive) == 50


def test_ranks_that_tie_do_not_depend_on_the_order():
    """Noise with four values, so that the second draw decides."""
    z, noise = rows(batch_of(0)), noise_of(0)(torch.empty(4, 2, 4, 4))
    noise[:, 0] = noise[:, 0].round().clamp(-1, 2)
    turned = code_search.elect_vectors(
        z.flip(0), torch.empty(4, 3, 4, 4), lambda _: noise.flip(0, 2, 3), 9
    )
    straight = code_search.elect_vectors(
        z, torch.empty(4, 3, 4, 4), lambda _: noise, 9
    )
    assert torch.equal(turned, straight)


def usage_after_collapse(**remedies):
    """All codes but one begin 100 away from the vectors, on all sides."""
    module = build(**remedies)
    with torch.no_grad():
        module.codebook.mul_(100 / module.codebook.norm(dim=1, keepdim=True))
        module.codebook[0] /= 1000
        if module.ema_decay is not None:
            module.ema_sum.copy_(module.codebook)
    return float(train(module, range(10)).logs['code_usage'])


@pytest.mark.parametrize('averages', [dict(), dict(ema_decay=0.9)])
def test_a_codebook_collapses_without_remedies(averages):
    assert usage_after_collapse(**averages) == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    'remedy',
    [
        dict(kmeans_init=True),
        dict(revive_after=2),
        dict(revive_after=2, ema_decay=0.9),
        dict(normalize=True),
        ALL_REMEDIES,
    ],
)
def test_each_remedy_saves_a_codebook_from_collapse(remedy):
    assert usage_after_collapse(**remedy) > 0.5


@pytest.mark.parametrize('mode', ['averaged', 'k_means', 'all'])
def test_the_order_of_samples_does_not_matter(mode):
    """Not even to the last bit: processes may share a batch as they do."""
    module, other = build(**MODES[mode]), build(**MODES[mode])
    for step in range(5):
        z, noise = batch_of(step, batch=64), noise_of(step, batch=64)
        module(z, noise)
        other(z.flip(0), lambda like, noise=noise: noise(like).flip(0))
    assert_same_state(other, module.state_dict())


@pytest.mark.parametrize('mode', MODES)
def test_a_resumed_training_is_the_same(mode):
    module, other = build(**MODES[mode]), build(**MODES[mode])
    train(module, range(3))
    middle = copy_of_state(module)
    train(module, range(3, 6))
    other.load_state_dict(middle)
    train(other, range(3, 6))
    assert_same_state(other, module.state_dict())
    assert not torch.equal(module.codebook, middle['codebook'])


def test_a_codebook_from_elsewhere_keeps_its_codes(z):
    """Without averages in its file; they would undo it at the next step."""
    codebook = 2 * torch.randn(24, 3)
    module = VectorQuantizer(24, 3, **{**ALL_REMEDIES, 'normalize': False})
    train(module, range(2))
    module.load_state_dict(dict(codebook=codebook))
    other = build(ema_decay=0.8, revive_after=2)
    other.load_state_dict(dict(codebook=codebook))
    for each in (module, other):
        each(z, noise_of(0))
    assert torch.equal(module.codebook, other.codebook)
    unused = module.idle == 1
    torch.testing.assert_close(
        module.codebook[unused], codebook[unused], rtol=1e-3, atol=0
    )


@pytest.mark.parametrize('mode', MODES)
def test_only_training_changes_anything(mode, z):
    module = build(**MODES[mode])
    before = copy_of_state(module)
    module.lookup(z)
    module.quantize(z)
    for step in range(3):
        module.eval()(z, noise_of(step))
    assert_same_state(module, before)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(num_codes=0), 'num_codes=0 must be positive'),
        (dict(dim=0), 'dim=0 must be positive'),
        (dict(beta=-1), 'beta=-1 .* set beta >= 0'),
        (dict(ema_decay=1.0), r'ema_decay=1.0 .* set ema_decay=0.99'),
        (dict(ema_decay=0.0), r'ema_decay=0.0 .* set ema_decay=0.99'),
        (dict(revive_after=0), 'revive_after=0 must be positive'),
        (
            dict(legacy_beta=True, ema_decay=0.9),
            'ema_decay=0.9 replaces: leave out one',
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        VectorQuantizer(**{'num_codes': 8, 'dim': 3, **arguments})


@pytest.mark.parametrize('shape', [(2, 4, 5, 5), (2, 3, 5)])
def test_other_channels_are_refused(shape):
    z = torch.zeros(shape)
    for call in (lambda z: build()(z, torch.randn_like), build().lookup):
        with pytest.raises(ValueError, match=r'dim=3: give \(B, 3, h, w\)'):
            call(z)


def trained_states(rank, num_ranks):
    """State and logs of every mode after some steps."""
    states = {}
    for mode, kwargs in MODES.items():
        module = build(**kwargs)
        logs = train(module, range(6), rank, num_ranks).logs
        states[mode] = {**module.state_dict(), **logs}
    return states


@pytest.mark.slow
def test_two_processes_get_the_codebook_of_one(run_two_ranks):
    one = trained_states(0, 1)
    for two in run_two_ranks(__file__):
        for mode, state in one.items():
            for name, expected in state.items():
                torch.testing.assert_close(
                    two[mode][name], expected, msg=f'{mode}: {name}'
                )


def main(rank, folder):
    """One of two processes; they meet at a file, which needs no port."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/meet', rank=rank, world_size=2
    )
    torch.save(trained_states(rank, 2), f'{folder}/{rank}.pth')
    leave_process_group()


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])


def test_a_codebook_is_loaded_without_what_it_was_trained_with():
    """A diffusion model needs not say how its first stage was trained."""
    trained = VectorQuantizer(8, 3, **ALL_REMEDIES)
    train(trained, range(3))
    plain = VectorQuantizer(8, 3, normalize=True)
    plain.load_state_dict(trained.state_dict())
    z = batch_of(7)
    assert plain.quantize(z).equal(trained.quantize(z))
