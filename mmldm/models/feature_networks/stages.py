"""Frozen classifiers whose stages describe an image in several depths."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, weights_of
from mmldm.utils.frozen_part import make_constant
from mmldm.utils.weight_files import verify_name, weight_cache

from .efficientnet_lite import MEAN, SCALE, read_network

# Mean and deviation of ImageNet's pixels, in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Side of the image that shows the strides of stages, pixels.
PROBE = 256
TIMM = 'timm/'


class StageNetwork(nn.Module):
    """Base class of frozen networks with features at several depths.

    The weights are buffers that no checkpoint stores. Gradients reach the
    input only, and the network always stays in evaluation mode.

    Args:
        network: Module that turns normalised images into a list of features,
            (B, C, h, w) each.
        mean: Mean of each channel of the network's inputs, for images in
            [-1, 1].
        deviation: Their deviation.

    Attributes:
        min_size: Least side of images, pixels: the stride of the last stage.
        widths: Channels of each stage.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        deviation: Sequence[float],
    ) -> None:
        super().__init__()
        for name, value in (('mean', mean), ('deviation', deviation)):
            column = torch.tensor(value).float().view(-1, 1, 1)
            self.register_buffer(name, column, persistent=False)
        make_constant(network)
        self.network = network.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of each stage, (B, C, h, w), of RGB images in [-1, 1]."""
        x = (x.to(self.mean) - self.mean) / self.deviation
        return list(self.network(x))

    def train(self, mode: bool = True) -> 'StageNetwork':
        """Stay in evaluation mode, whatever ``mode`` is."""
        return super().train(False)


@MODELS.register_module()
class EfficientNetLiteStages(StageNetwork):
    """Blocks of EfficientNet-Lite0, whose weights are installed with mmldm.

    Tan and Le 2019 (arXiv:1905.11946); see :class:`EfficientNetLiteFeatures`.

    Args:
        stages: Numbers of blocks, from 0 to 15, in rising order. Each is the
            last block before the resolution changes: strides 2, 4, 8 and 16.

    Raises:
        ImportError: If the packages are not installed.
        ValueError: If there is no such block.
    """

    def __init__(self, stages: Sequence[int] = (0, 2, 4, 10)) -> None:
        network = read_network()
        last = len(network._blocks) - 1
        if not stages or [*stages] != sorted({*stages} & {*range(last + 1)}):
            raise ValueError(
                f'EfficientNetLiteStages.stages={tuple(stages)} must be '
                f'rising numbers of blocks from 0 to {last}: set '
                'stages=(0, 2, 4, 10)'
            )
        # Its inputs are (p - MEAN) / SCALE with p in [0, 255].
        mean, deviation = MEAN / 127.5 - 1, SCALE / 127.5
        super().__init__(_Blocks(network, stages), [mean], [deviation])
        _measure(self, stages)


class _Blocks(nn.Module):
    """The stem and the first blocks of an EfficientNet."""

    def __init__(self, network: nn.Module, stages: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            network._conv_stem, network._bn0, network._swish
        )
        self.blocks = network._blocks[: stages[-1] + 1]
        self.stages = frozenset(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features, x = [], self.stem(x)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.stages:
                features.append(x)
        return features


@MODELS.register_module()
class ClassifierStages(StageNetwork):
    """Layers of a classifier of torchvision or timm, trained on ImageNet.

    Nothing is downloaded.

    Args:
        name: A model of torchvision, such as 'vgg16', or of timm, such as
            'timm/resnet18'.
        stages: Names of layers in order, such as 'features.3' or 'layer1'.
            Their outputs need the shape (B, C, h, w). For 'vgg16', LPIPS has
            'features.3', 'features.8', 'features.15', 'features.22' and
            'features.29'.
        weights: Path of the model's weights. None looks for torchvision's
            file in torch's cache, ``torch.hub.get_dir()/checkpoints``.

    Raises:
        FileNotFoundError: If the weights are missing.
        ImportError: If timm is needed, but not installed.
        ValueError: If model or stages are unknown, or the file does not fit.
    """

    files = ('weights',)

    def __init__(
        self, name: str, stages: Sequence[str], weights: str | None = None
    ) -> None:
        with torch.device('meta'):
            model, mean, deviation = _model(name)
        network = _cut(model, name, stages)
        path = _weights_path(name) if weights is None else Path(weights)
        _load(network, path, name)
        super().__init__(
            _Values(network),
            [2 * value - 1 for value in mean],
            [2 * value for value in deviation],
        )
        _measure(self, stages)


class _Values(nn.Module):
    """The outputs of a network that returns them by name."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        return [*self.network(x).values()]


def _model(name: str) -> tuple[nn.Module, Sequence[float], Sequence[float]]:
    """A classifier without weights, mean and deviation of its pixels."""
    if name.startswith(TIMM):
        try:
            import timm
        except ImportError as error:
            raise ImportError(
                f'ClassifierStages.name={name!r} needs timm: pip install timm'
            ) from error
        known, short = timm.list_models(), name.removeprefix(TIMM)
    else:
        from torchvision import models

        known, short = models.list_models(module=models), name
    if short not in known:
        raise ValueError(
            f'ClassifierStages.name={name!r} is unknown: give a model of '
            "torchvision, such as 'vgg16', or of timm, such as "
            "'timm/resnet18'"
        )
    if name.startswith(TIMM):
        model = timm.create_model(short, pretrained=False)
        prepared = model.pretrained_cfg
        return model, prepared['mean'], prepared['std']
    return models.get_model(short), IMAGENET_MEAN, IMAGENET_DEVIATION


def _cut(model: nn.Module, name: str, stages: Sequence[str]) -> nn.Module:
    """The part of a classifier that computes the outputs of its layers."""
    from torchvision.models.feature_extraction import (
        create_feature_extractor,
        get_graph_node_names,
    )

    nodes = get_graph_node_names(model.eval())[1]
    for stage in stages or ['']:
        layer = f'{stage}.'
        if not any(n == stage or n.startswith(layer) for n in nodes):
            raise ValueError(
                f'ClassifierStages.stages: {name} has no layer {stage!r}: '
                f'give layers such as {", ".join(map(repr, nodes[1:40:8]))}'
            )
    # A layer that changes its input would change the stage before it.
    for part in model.modules():
        if getattr(part, 'inplace', False):
            part.inplace = False
    return create_feature_extractor(model, [*stages])


def _weights_path(name: str) -> Path:
    """The file of torchvision's weights in torch's cache."""
    if name.startswith(TIMM):
        raise FileNotFoundError(
            f'ClassifierStages.name={name!r} needs a file: set weights to the '
            "path of the model's weights"
        )
    from torchvision.models import get_model_weights

    url = get_model_weights(name).DEFAULT.url
    path = weight_cache() / url.rsplit('/', 1)[-1]
    if not path.is_file():
        raise FileNotFoundError(
            f'ClassifierStages.name={name!r} needs {path}: download {url} '
            'to there, or set weights to its path; '
            "network=dict(type='EfficientNetLiteStages') works without"
        )
    return path


def _load(network: nn.Module, path: Path, name: str) -> None:
    """Give a network on no device the weights of a file.

    Raises:
        FileNotFoundError, ValueError: See :class:`ClassifierStages`.
    """
    argument = f'ClassifierStages.weights={str(path)!r}'
    verify_name(path, argument, 'download it again')
    content = weights_of(read_checkpoint(path))
    wanted = network.state_dict()
    unfit = [
        key
        for key, weight in wanted.items()
        if key not in content or content[key].shape != weight.shape
    ]
    if unfit:
        raise ValueError(
            f'{argument} does not hold the weights of {name!r}: {len(unfit)} '
            f'of {len(wanted)} are missing or have another shape, the first '
            f'is {unfit[0]}: give the file of {name!r}'
        )
    weights = {key: content[key].float() for key in wanted}
    network.load_state_dict(weights, assign=True)


@torch.no_grad()
def _measure(network: StageNetwork, stages: Sequence) -> None:
    """Set ``min_size`` and ``widths`` of a network by its output.

    Raises:
        ValueError: If a stage's output has no places.
    """
    owner = type(network).__name__
    features = network(torch.zeros(1, 3, PROBE, PROBE))
    for stage, output in zip(stages, features, strict=True):
        if output.ndim != 4:
            raise ValueError(
                f'{owner}.stages: the output of {stage!r} has the shape '
                f'{tuple(output.shape)}, but (B, C, h, w) is needed: give '
                'layers before the pooling'
            )
    network.min_size = PROBE // min(output.shape[-1] for output in features)
    network.widths = [output.shape[1] for output in features]
