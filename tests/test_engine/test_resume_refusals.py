"""What ``resume`` refuses, with the key and the remedy."""

import os

import pytest

from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint

REFUSALS = dict(
    type=(
        dict(optim_wrapper__optimizer=dict(_delete_=True, type='SGD', lr=0.1)),
        r"optimizer.type='SGD' \(checkpoint: 'AdamW'\).*load_from=",
    ),
    amsgrad=(
        dict(optim_wrapper__optimizer__amsgrad=True),
        'optimizer.amsgrad=True .*restore the key',
    ),
    groups=(
        dict(
            optim_wrapper__paramwise_cfg=dict(
                custom_keys=dict(conv_in=dict(lr_mult=0.1))
            ),
        ),
        'the state of optim_wrapper .* paramwise_cfg',
    ),
    accumulation=(
        dict(
            optim_wrapper__accumulative_counts=4,
            default_hooks__checkpoint__interval=4,
            train_cfg__max_iters=8,
        ),
        'iteration 2, between two steps of optim_wrapper with '
        'accumulative_counts=4',
    ),
    shape=(
        dict(model__denoiser__channels=32),
        r'time_embed.mlp.0.weight \(256, 64\), here \(128, 32\).*'
        r'model.denoiser.channels=32 \(checkpoint: 64\)',
    ),
    depth=(
        dict(model__denoiser__num_res_blocks=2),
        r'not in the file: denoiser.*model.denoiser.num_res_blocks=2 '
        r'\(checkpoint: 1\)',
    ),
)


@pytest.mark.parametrize('kind', REFUSALS)
def test_what_cannot_go_on_is_refused(resume, kind):
    options, expected = REFUSALS[kind]
    with pytest.raises(ValueError, match=expected):
        resume(**options)


def test_optimizers_of_other_names_are_refused(
    build_runner, adversarial_training
):
    build_runner(**adversarial_training, train_cfg__max_iters=2).train()
    options = dict(
        adversarial_training,
        optim_wrapper=dict(
            _delete_=True,
            type='OptimWrapper',
            optimizer=dict(type='Adam', lr=1e-3),
        ),
        model__adversarial=None,
    )
    with pytest.raises(ValueError, match='optim_wrapper'):
        build_runner(**options, resume=True).train()


def test_weights_alone_cannot_be_resumed(build_runner, first):
    path = os.path.join(first.work_dir, 'weights.pth')
    weights = read_checkpoint(first.work_dir)['state_dict']
    write_checkpoint(dict(state_dict=weights), path)
    with pytest.raises(ValueError, match='optimizer, meta.iter.*load_from='):
        build_runner(load_from=path, resume=True).train()
