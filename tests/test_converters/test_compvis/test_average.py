import pytest
import torch

from mmldm.converters.compvis.average import choose_weights


def checkpoint():
    """Two weights, their average, and one that is not averaged."""
    return {
        'model.net.0.weight': torch.tensor([1.0, 2.0]),
        'model.net.0.bias': torch.tensor([3.0]),
        'first.weight': torch.tensor([4.0]),
        'model_ema.decay': torch.tensor(0.9999),
        'model_ema.num_updates': torch.tensor(7),
        'model_ema.net0weight': torch.tensor([10.0, 20.0]),
        'model_ema.net0bias': torch.tensor([30.0]),
    }


RAW = {
    'model.net.0.weight': [1.0, 2.0],
    'model.net.0.bias': [3.0],
    'first.weight': [4.0],
}
AVERAGE = RAW | {
    'model.net.0.weight': [10.0, 20.0],
    'model.net.0.bias': [30.0],
}


def chosen(weights, which, start='model.', **kwargs):
    found = choose_weights(weights, which, start, **kwargs)
    return {name: weight.tolist() for name, weight in found.items()}


@pytest.mark.parametrize(
    'which, expected', [('ema', AVERAGE), (None, AVERAGE), ('raw', RAW)]
)
def test_the_average_is_taken_unless_raw_weights_are_asked_for(
    which, expected
):
    assert chosen(checkpoint(), which) == expected


@pytest.mark.parametrize('which', [None, 'raw'])
def test_without_an_average_the_weights_are_as_they_are(which):
    weights = {
        name: weight
        for name, weight in checkpoint().items()
        if not name.startswith('model_ema.')
    }
    assert chosen(weights, which) == RAW


def test_a_first_stage_is_averaged_whole_but_for_its_loss():
    """There the average's names begin at the model itself."""
    weights = {
        'encoder.conv.weight': torch.tensor([1.0]),
        'loss.vgg.weight': torch.tensor([2.0]),
        'loss.disc.weight': torch.tensor([3.0]),
        'model_ema.encoderconvweight': torch.tensor([5.0]),
        'model_ema.lossdiscweight': torch.tensor([6.0]),
    }
    assert chosen(weights, 'ema', start='', left_out=('loss.',)) == {
        'encoder.conv.weight': [5.0],
        'loss.vgg.weight': [2.0],
        'loss.disc.weight': [6.0],
    }


def without(name):
    weights = checkpoint()
    del weights[name]
    return weights


@pytest.mark.parametrize(
    'weights, message',
    [
        (
            {'model.x': torch.zeros(1), 'model_ema.decay': torch.zeros(())},
            'no running average .model_ema.*--weights raw',
        ),
        (
            without('model_ema.net0bias'),
            'model_ema.net0bias is missing, the running average of '
            'model.net.0.bias: .*--weights raw',
        ),
        (
            without('model.net.0.bias'),
            'model_ema.net0bias is the running average of no weight',
        ),
        (
            checkpoint() | {'model_ema.net0bias': torch.zeros(2)},
            r'model_ema.net0bias has shape \(2,\), but model.net.0.bias, .*, '
            r'has \(1,\)',
        ),
    ],
)
def test_an_average_of_other_weights_is_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        choose_weights(weights, 'ema', 'model.')
