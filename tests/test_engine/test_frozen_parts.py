"""Nothing is trained on a frozen part that nobody has trained."""

import pytest
from torch import nn

from mmldm.engine.frozen_parts import check_frozen_parts
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.frozen_part import FrozenPart

NO_SCALE = dict(default_hooks__latent_scale=None)


def test_an_untrained_first_stage_is_refused(build_runner):
    """Also where no hook measures its scale."""
    runner = build_runner(model__autoencoder_checkpoint=None, **NO_SCALE)
    message = 'model.autoencoder_checkpoint is missing: the autoencoder'
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.record.losses == {}


def test_a_first_stage_of_the_whole_models_checkpoint_is_taken(
    build_runner, tmp_path
):
    options = dict(
        model__autoencoder_checkpoint=None,
        **NO_SCALE,
        train_cfg__max_iters=1,
    )
    path = str(tmp_path / 'whole.pth')
    model = build_runner(**options).model
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    runner = build_runner(**options, load_from=path)
    runner.train()
    assert sorted(runner.record.losses) == [0]


def test_a_first_stage_without_weights_needs_none(build_runner):
    runner = build_runner(
        model__autoencoder=dict(_delete_=True, type='IdentityAutoencoder'),
        model__autoencoder_checkpoint=None,
        model__denoiser=dict(in_channels=3, out_channels=3),
        **NO_SCALE,
        train_cfg__max_iters=1,
    )
    runner.train()
    assert sorted(runner.record.losses) == [0]


class Words(FrozenPart):
    """An embedder with a network that stays as it is."""

    part, files = 'network', ('pretrained',)

    def __init__(self, has_file):
        super().__init__()
        self.network = nn.Linear(2, 2)
        self.freeze_part(has_file)


def test_the_key_of_any_frozen_part_is_named():
    """Of one that has no file; the other has."""
    embedders = nn.ModuleList([Words(has_file=True), Words(has_file=False)])
    model = nn.ModuleDict(dict(conditioner=embedders))
    message = 'model.conditioner.1.pretrained is missing: the network of Words'
    with pytest.raises(ValueError, match=message):
        check_frozen_parts(model)
    check_frozen_parts(embedders[0])


def test_a_part_that_has_its_own_file_has_weights():
    """As a first stage of diffusers in a diffusion model."""

    class Outer(Words):
        def __init__(self, inner):
            super().__init__(has_file=False)
            self.network = inner

    check_frozen_parts(Outer(Words(has_file=True)))
    with pytest.raises(ValueError, match='model.network.pretrained is missi'):
        check_frozen_parts(Outer(Words(has_file=False)))


def test_a_decoder_of_an_untrained_encoder_is_refused(tiny_autoencoder):
    model = MODELS.build(
        dict(
            type='FirstStage', autoencoder=tiny_autoencoder, trained='decoder'
        )
    )
    message = "load_from is missing: model.trained='decoder' keeps the encoder"
    with pytest.raises(ValueError, match=message):
        check_frozen_parts(model)
