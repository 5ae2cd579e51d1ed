"""A distance of images that is closer to perception than that of pixels."""

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, weights_of
from mmldm.utils.frozen_part import make_constant
from mmldm.utils.weight_files import verify_name, weight_cache

from .laplacian_pyramid import check_same_shape
from .pretrained_features import mean_over, unit_length

WITHOUT_LPIPS = (
    'model.perceptual=None or model.perceptual=dict(_delete_=True, '
    "type='LaplacianPyramidLoss')"
)
# VGG-16 is cut after relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3.
CUTS = (0, 4, 9, 16, 23, 30)
CHANNELS = (64, 128, 256, 512, 512)
# Four poolings halve the images before the last features.
SMALLEST = 16


class _Weights(NamedTuple):
    """A published file with weights.

    Attributes:
        argument: Name of the argument for the file's path.
        name: File name in torch's cache.
        url: Address of the published file.
        prefix: Beginning of our names of the weights.
        key: Finds the rest of our names in the file's names.
    """

    argument: str
    name: str
    url: str
    prefix: str
    key: str


VGG = _Weights(
    'vgg_weights',
    'vgg16-397923af.pth',
    'https://download.pytorch.org/models/vgg16-397923af.pth',
    'features.',
    # The names of torchvision, and those of LPIPS, which has five slices.
    r'(?:^|\.)(?:features|slice\d)\.(\d+\.(?:weight|bias))$',
)
LINEAR = _Weights(
    'linear_weights',
    'vgg_lpips_v0.1.pth',
    'https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/'
    'weights/v0.1/vgg.pth',
    'lin',
    r'(?:^|\.)lin(\d\.model\.1\.weight)$',
)


@MODELS.register_module()
class LPIPS(nn.Module):
    """Distance of VGG-16's features, weighted to agree with people.

    This is LPIPS v0.1 of Zhang et al. 2018 (arXiv:1801.03924, eq. 1), which
    latent diffusion uses to train its first stages. The features of both
    images, at five depths, are scaled to unit length at every position. The
    weighted squares of their difference are averaged over the positions.

    It is frozen, has no parameters and is not stored in checkpoints. Training
    and evaluation give the same output; the original has an active dropout
    before its weights in training. The weights are read from two published
    files, which are not downloaded. Under autocast only the convolutions have
    low precision.

    Args:
        vgg_weights: Path of torchvision's ``vgg16-397923af.pth``; None looks
            in torch's cache, ``torch.hub.get_dir()/checkpoints``. A file with
            the names of LPIPS, ``net.slice1.0.weight``, works too.
        linear_weights: Path of the weights for the differences of features,
            ``lpips/weights/v0.1/vgg.pth`` in the authors' repository; None
            looks in torch's cache for ``vgg_lpips_v0.1.pth``, then in an
            installed package ``lpips``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file holds other weights, or its SHA-256 is not
            the one in its name.
    """

    min_size = SMALLEST
    files = ('vgg_weights', 'linear_weights')

    def __init__(
        self,
        vgg_weights: str | None = None,
        linear_weights: str | None = None,
    ) -> None:
        super().__init__()
        vgg_file, linear_file = _find(vgg_weights, linear_weights)
        with torch.device('meta'):
            vgg = vgg16()
        del vgg.avgpool, vgg.classifier
        shapes = {n: w.shape for n, w in vgg.state_dict().items()}
        vgg.load_state_dict(_read(VGG, vgg_file, shapes), assign=True)
        make_constant(vgg)
        self.stages = nn.ModuleList(
            vgg.features[start:end] for start, end in pairwise(CUTS)
        )

        shapes = {
            f'lin{i}.model.1.weight': (1, num_channels, 1, 1)
            for i, num_channels in enumerate(CHANNELS)
        }
        linear = _read(LINEAR, linear_file, shapes)
        constants = dict(
            linear=torch.cat([linear[name] for name in shapes], dim=1),
            # Mean and standard deviation of ImageNet's pixels, in [-1, 1].
            shift=torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1),
            scale=torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1),
        )
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(
        self, x: Tensor, reference: Tensor, places: Tensor | None = None
    ) -> Tensor:
        """The distance of every image to its reference, (B,), float32.

        Args:
            x: Images in [-1, 1], (B, 3, H, W), with sides of 16 or more.
            reference: Target images, of the same shape.
            places: See :func:`mean_over`.

        Raises:
            ValueError: If the shapes differ or are too small.
        """
        check_same_shape(x, reference)
        if x.shape[1] != 3 or min(x.shape[2:]) < SMALLEST:
            raise ValueError(
                f'LPIPS compares RGB images of {SMALLEST} or more pixels '
                f'per side, got (B, C, H, W) = {tuple(x.shape)}: train on '
                f'such images, or set {WITHOUT_LPIPS}'
            )
        pairs = zip(
            self.linear.split(CHANNELS, dim=1),
            self._features(x),
            self._features(reference),
            strict=True,
        )
        return sum(
            mean_over(
                (
                    (unit_length(ours) - unit_length(theirs)).square() * weight
                ).sum(1),
                places,
            )
            for weight, ours, theirs in pairs
        )

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        """Features of the five depths, each (B, C, H / 2^i, W / 2^i)."""
        x = (x.float() - self.shift) / self.scale
        for stage in self.stages:
            x = stage(x)
            yield x


def _find(vgg_weights: str | None, linear_weights: str | None) -> list[Path]:
    """Find the two files with weights.

    Raises:
        FileNotFoundError: If one is missing; the message names all missing.
    """
    cache = weight_cache()
    places = {
        VGG: [cache / VGG.name],
        LINEAR: [cache / LINEAR.name, *_in_lpips_package()],
    }
    found, missing = [], []
    for weights, given in ((VGG, vgg_weights), (LINEAR, linear_weights)):
        tried = places[weights] if given is None else [Path(given)]
        files = [path for path in tried if path.is_file()]
        found += files[:1]
        if not files:
            missing.append(
                f'no {" or ".join(map(str, tried))} (set model.perceptual.'
                f'{weights.argument} to the path of {weights.url})'
            )
    if missing:
        raise FileNotFoundError(
            f'LPIPS needs weights that are missing: {"; ".join(missing)}. '
            'The package lpips has the linear weights: pip install '
            f'--no-deps lpips. To train without LPIPS, set {WITHOUT_LPIPS}'
        )
    return found


def _in_lpips_package() -> list[Path]:
    """Path of the file in the package ``lpips``, which is not imported."""
    package = importlib.util.find_spec('lpips')
    folders = package.submodule_search_locations if package else None
    return [Path(f, 'weights', 'v0.1', 'vgg.pth') for f in folders or ()]


def _read(
    weights: _Weights, path: Path, shapes: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """The weights in a file by our names, float32.

    Raises:
        ValueError: If the file's hash does not fit its name, or shapes are
            wrong.
    """
    argument = f'model.perceptual.{weights.argument}={str(path)!r}'
    verify_name(path, argument, f'download {weights.url} again')
    content = {
        weights.prefix + match[1]: weight.detach().float()
        for name, weight in weights_of(read_checkpoint(path)).items()
        if (match := re.search(weights.key, name))
    }
    unfit = [
        name
        for name, shape in shapes.items()
        if name not in content or content[name].shape != shape
    ]
    if unfit:
        raise ValueError(
            f'{argument} does not hold the weights of {weights.url}: '
            f'{len(unfit)} of {len(shapes)} are missing or have another '
            f'shape, the first is {unfit[0]}: give that file'
        )
    return content
