import pytest
import torch

from mmldm.models.editors import frozen_first_stage
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_hash,
    write_checkpoint,
)


@pytest.fixture
def first_stage(tmp_path, tiny_autoencoder):
    """Stores weights of a seed as a run of FirstStage does; the path."""

    def store(seed, latent_scale=0.5):
        torch.manual_seed(seed)
        model = MODELS.build(
            dict(
                type='FirstStage',
                autoencoder=dict(tiny_autoencoder, latent_scale=latent_scale),
            )
        )
        path = str(tmp_path / f'first_stage_{seed}.pth')
        write_checkpoint(dict(state_dict=model.state_dict()), path)
        return path

    return store


def frozen_names(state):
    return {name for name in state if name.startswith('autoencoder.')}


def assert_same_weights(module, other):
    weights = other.state_dict()
    for name, weight in module.state_dict().items():
        assert torch.equal(weight, weights[name]), name


def test_it_stays_frozen_and_in_evaluation(tiny_ldm):
    model = tiny_ldm().train()
    assert model.denoiser.training
    assert not any(m.training for m in model.autoencoder.modules())
    assert not any(w.requires_grad for w in model.autoencoder.parameters())
    assert all(w.requires_grad for w in model.denoiser.parameters())


def test_its_checkpoint_arrives(tiny_ldm, first_stage):
    path = first_stage(seed=1)
    weights = read_checkpoint(path)['state_dict']
    model = tiny_ldm(autoencoder_checkpoint=path)
    for name, weight in model.autoencoder.state_dict().items():
        assert torch.equal(weight, weights[f'autoencoder.{name}']), name
    assert model.autoencoder.latent_scale.unique() == 0.5


def test_weights_of_an_autoencoder_alone_arrive(tiny_ldm, tmp_path):
    autoencoder = tiny_ldm().autoencoder
    path = str(tmp_path / 'autoencoder.pth')
    write_checkpoint(autoencoder.state_dict(), path)
    model = tiny_ldm(autoencoder_checkpoint=path)
    assert_same_weights(model.autoencoder, autoencoder)


def test_a_checkpoint_that_does_not_fit_is_refused(tiny_ldm, first_stage):
    with pytest.raises(ValueError, match='first_stage_1.pth does not fit'):
        tiny_ldm(
            autoencoder_checkpoint=first_stage(seed=1),
            autoencoder=dict(num_res_blocks=2),
        )


def test_with_a_checkpoint_its_scale_and_hash_are_stored(
    tiny_ldm, first_stage
):
    state = tiny_ldm(autoencoder_checkpoint=first_stage(1)).state_dict()
    assert frozen_names(state) == {
        'autoencoder.latent_scale',
        'autoencoder.latent_shift',
    }
    other = tiny_ldm(autoencoder_checkpoint=first_stage(2)).state_dict()
    weights = read_checkpoint(first_stage(1))['state_dict']
    frozen = {n: w for n, w in weights.items() if 'latent_s' not in n}
    assert torch.equal(state['autoencoder_hash'], weights_hash(frozen))
    assert not torch.equal(
        state['autoencoder_hash'], other['autoencoder_hash']
    )


def test_without_a_checkpoint_all_of_it_is_stored(tiny_ldm):
    model = tiny_ldm()
    state = model.state_dict()
    assert frozen_names(state) == {
        f'autoencoder.{name}' for name in model.autoencoder.state_dict()
    }
    assert 'autoencoder_hash' not in state


@pytest.mark.parametrize('referenced', [True, False])
def test_a_model_is_restored(tiny_ldm, first_stage, referenced):
    """Also with the scale that was measured in its training."""
    options = dict(autoencoder_checkpoint=first_stage(1)) if referenced else {}
    trained, model = tiny_ldm(**options), tiny_ldm(**options)
    trained.autoencoder.latent_scale.fill_(0.7)
    load_weights(model, trained.state_dict(), 'ldm.pth')
    assert_same_weights(model, trained)
    assert_same_weights(model.autoencoder, trained.autoencoder)
    assert model.autoencoder.latent_scale.unique() == pytest.approx(0.7)


def test_another_first_stage_is_refused(tiny_ldm, first_stage):
    trained = tiny_ldm(autoencoder_checkpoint=first_stage(1))
    model = tiny_ldm(autoencoder_checkpoint=first_stage(2))
    with pytest.raises(
        ValueError,
        match='first_stage_2.pth has .*set model.autoencoder_checkpoint',
    ):
        load_weights(model, trained.state_dict(), 'ldm.pth')


def test_a_first_stage_that_is_not_given_is_refused(tiny_ldm, first_stage):
    trained = tiny_ldm(autoencoder_checkpoint=first_stage(1))
    with pytest.raises(ValueError, match='autoencoder_checkpoint is not g'):
        load_weights(tiny_ldm(), trained.state_dict(), 'ldm.pth')


def test_the_scale_is_no_part_of_the_hash(tiny_ldm, first_stage):
    """It may be measured again, by another run on the same weights."""
    one = tiny_ldm(autoencoder_checkpoint=first_stage(1, latent_scale=0.5))
    two = tiny_ldm(autoencoder_checkpoint=first_stage(1, latent_scale=2.0))
    assert torch.equal(one.autoencoder_hash, two.autoencoder_hash)


def test_a_model_with_all_its_weights_loads_over_a_reference(
    tiny_ldm, first_stage
):
    path = first_stage(1)
    whole = tiny_ldm()
    weights = read_checkpoint(path)['state_dict']
    load_weights(whole, {**whole.state_dict(), **weights}, path)
    model = tiny_ldm(autoencoder_checkpoint=path)
    load_weights(model, whole.state_dict(), 'whole.pth')
    assert_same_weights(model.denoiser, whole.denoiser)


def test_a_model_with_all_its_weights_is_refused_over_another_reference(
    tiny_ldm, first_stage
):
    """Its checkpoints would name a first stage that no file holds."""
    model = tiny_ldm(autoencoder_checkpoint=first_stage(1))
    with pytest.raises(ValueError, match='set model.autoencoder_checkpoint'):
        load_weights(model, tiny_ldm().state_dict(), 'whole.pth')


def test_a_file_with_weights_and_hash_loads_without_a_reference(tiny_ldm):
    whole, model = tiny_ldm(), tiny_ldm()
    digest = torch.zeros(32, dtype=torch.uint8)
    state = dict(whole.state_dict(), autoencoder_hash=digest)
    load_weights(model, state, 'whole.pth')
    assert_same_weights(model, whole)


def test_weights_of_another_width_are_refused_over_a_reference(
    tiny_ldm, first_stage
):
    whole = tiny_ldm(autoencoder=dict(channels=64))
    model = tiny_ldm(autoencoder_checkpoint=first_stage(1))
    with pytest.raises(ValueError, match='set model.autoencoder_checkpoint'):
        load_weights(model, whole.state_dict(), 'whole.pth')


def test_a_model_inside_a_wrapper_is_restored(tiny_ldm, first_stage):
    """As distributed training wraps it: names get a prefix."""
    path = first_stage(1)
    trained, model = (
        torch.nn.ModuleDict(dict(module=tiny_ldm(autoencoder_checkpoint=path)))
        for _ in range(2)
    )
    state = trained.state_dict()
    assert not [name for name in state if 'encoder.0' in name]
    load_weights(model, state, 'ldm.pth')
    assert_same_weights(model, trained)


def test_a_missing_first_stage_is_named(tiny_ldm):
    with pytest.raises(FileNotFoundError, match='train the first stage'):
        tiny_ldm(autoencoder_checkpoint='nowhere.pth')


def test_a_model_that_names_its_first_stage_by_hash_is_none(
    tiny_ldm, first_stage, tmp_path
):
    model = tiny_ldm(autoencoder_checkpoint=first_stage(1))
    path = str(tmp_path / 'ldm.pth')
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    with pytest.raises(ValueError, match='without its first stage'):
        tiny_ldm(autoencoder_checkpoint=path)


@pytest.fixture
def decoder_trained(tmp_path, tiny_autoencoder):
    """Changes the decoder of a file's first stage, by FirstStage; the path."""

    def train(path, trained='decoder'):
        config = dict(
            type='FirstStage', autoencoder=tiny_autoencoder, trained=trained
        )
        model = MODELS.build(config)
        load_weights(model, read_checkpoint(path)['state_dict'], path)
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data += 0.01
        target = str(tmp_path / f'{trained}.pth')
        write_checkpoint(dict(state_dict=model.state_dict()), target)
        return target

    return train


def test_a_model_takes_a_decoder_that_was_trained_further(
    tiny_ldm, first_stage, decoder_trained
):
    """Whether its checkpoint holds the first stage before, or its hash."""
    path = first_stage(1)
    for before in (tiny_ldm(autoencoder_checkpoint=path), tiny_ldm()):
        load_weights(
            before.autoencoder,
            {
                name.removeprefix('autoencoder.'): weight
                for name, weight in read_checkpoint(path)['state_dict'].items()
            },
            path,
        )
        model = tiny_ldm(autoencoder_checkpoint=decoder_trained(path))
        load_weights(model, before.state_dict(), 'before.pth')
        x = torch.rand(1, 3, 8, 8)
        z = before.autoencoder.encode(x)
        assert torch.equal(model.autoencoder.encode(x), z)
        old, new = before.autoencoder.decode(z), model.autoencoder.decode(z)
        assert not torch.equal(old, new)
    # From now on, its own checkpoints name the new one.
    again = tiny_ldm(autoencoder_checkpoint=decoder_trained(path))
    load_weights(again, model.state_dict(), 'after.pth')
    with pytest.raises(ValueError, match='trained on a first stage whose'):
        load_weights(
            tiny_ldm(autoencoder_checkpoint=path), model.state_dict(), 'a.pth'
        )


def test_a_first_stage_with_another_encoder_must_be_asked_for(
    tiny_ldm, first_stage, decoder_trained, monkeypatch
):
    path = first_stage(1)
    before = tiny_ldm(autoencoder_checkpoint=path).state_dict()
    other = decoder_trained(path, 'all')
    message = 'model.other_first_stage=True to train the model further on this'
    with pytest.raises(ValueError, match=message):
        load_weights(
            tiny_ldm(autoencoder_checkpoint=other), before, 'before.pth'
        )
    lines = []
    monkeypatch.setattr(
        frozen_first_stage, 'print_log', lambda line, **how: lines.append(line)
    )
    model = tiny_ldm(autoencoder_checkpoint=other, other_first_stage=True)
    load_weights(model, before, 'before.pth')
    (line,) = lines
    assert 'trained on another first stage, SHA-256' in line
    assert f'train them further on {other} before they draw' in line
    weights = read_checkpoint(other)['state_dict']
    for name, weight in model.autoencoder.state_dict().items():
        assert torch.equal(weight, weights[f'autoencoder.{name}'])


def test_a_first_stage_in_half_precision_is_the_same(tiny_ldm, tmp_path):
    """A model file may hold all weights in half precision."""
    whole = {n: w.half() for n, w in tiny_ldm().state_dict().items()}
    path = str(tmp_path / 'half.pth')
    write_checkpoint(dict(state_dict=whole), path)
    model = tiny_ldm(autoencoder_checkpoint=path)
    load_weights(model, whole, path)
