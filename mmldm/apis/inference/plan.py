"""Many images to generate: rows of arguments, image by image, in batches."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from mmengine.dist import broadcast_object_list

from mmldm.models.editors.image_editing import whole_strength
from mmldm.utils import check_choice, check_count
from mmldm.utils.pixels import to_unit_range

from .arguments import sampling_of
from .batch_size import fitting_batch_size
from .batches import Make, predicted
from .edits import Vary
from .given import picture_of
from .inferencer import LatentDiffusionInferencer
from .interpolation import Interpolation
from .picture_settings import as_plain
from .request_files import Row
from .requests import Request, argument_of
from .written import as_arguments

NAMES = ('index', 'seed', 'label')


class Wanted(NamedTuple):
    """One image of a plan.

    Attributes:
        index: Place among all images.
        kind: Index of its row.
        number: Place among the images of its row.
        name: Name of its file, without extension.
    """

    index: int
    kind: int
    number: int
    name: str


class Kind(NamedTuple):
    """A row that a model can draw.

    Attributes:
        row: The row.
        num: Number of images.
        size: Their height and width, pixels.
        edits: Whether the images are not simply generated from noise.
    """

    row: Row
    num: int
    size: tuple[int, int]
    edits: bool

    @property
    def frames(self) -> bool:
        """Whether the images are the frames of an animation."""
        return 'frames' in self.row.arguments and self.num > 1


class Batch(NamedTuple):
    """Images that are generated at a time.

    Attributes:
        images: The images; copies fill up the batch of an image that is
            generated again.
        kept: Places in ``images`` of those that are wanted.
        exact: Whether bits depend on the request alone; see
            :func:`~mmldm.apis.inference.batches.exactly`.
    """

    images: Sequence[Wanted]
    kept: Sequence[int]
    exact: bool = False


class Plan:
    """Images of rows, in batches that depend on nothing but the plan.

    A batch has the same images whichever of them exist already and whichever
    process generates it: on most devices, the last bits of an image depend on
    the number of images beside it.

    Args:
        draw: The inferencer.
        rows: One row a kind of images; every row is checked.
        ways: How to sample, arguments of a call.
        num: Images of a row that does not say how many.
        name_by: What names of files start with: ``index``, ``seed`` or
            ``label``; the images with the same start are numbered.

    Raises:
        FileNotFoundError, ValueError: If the model cannot draw a row, or the
            row has no label to be named by; names its line.
    """

    def __init__(
        self,
        draw: LatentDiffusionInferencer,
        rows: Sequence[Row],
        ways: Mapping[str, Any],
        num: int = 1,
        name_by: str = 'index',
    ) -> None:
        check_choice('name_by', name_by, NAMES)
        self.draw, self.ways, self.name_by = draw, ways, name_by
        self.sampling = sampling_of(draw.model, ways)
        self.model = draw.model.sampling_by(self.sampling)
        # A row may name large pictures.
        self.asked = lru_cache(maxsize=16)(self._ask)
        self.plain = lru_cache(maxsize=16)(self._plain)
        self.kinds = [self._kind(row, num) for row in rows]

    def __len__(self) -> int:
        """Number of images."""
        return sum(kind.num for kind in self.kinds)

    def images(self) -> Iterator[Wanted]:
        """The images with the names of their files."""
        indices, seen = count(), Counter()
        for place, kind in enumerate(self.kinds):
            start = self._start(kind.row.arguments)
            for number in range(kind.num):
                index = next(indices)
                name = f'{index:06d}'
                if start is not None:
                    name = f'{start}_{seen[start]:06d}'
                    seen[start] += 1
                yield Wanted(index, place, number, name)

    def batches(self, batch_size: int, exact: bool = False) -> Iterator[Batch]:
        """All images, at most ``batch_size`` of one size at a time.

        Edited images share a batch only with those of their row.

        Args:
            batch_size: Images at a time.
            exact: See :class:`Batch`.
        """
        check_count('batch_size', batch_size)
        held: list[Wanted] = []
        for image in self.images():
            full = len(held) == batch_size
            if held and (full or self._key(held[0]) != self._key(image)):
                yield Batch(held, range(len(held)), exact)
                held = []
            held.append(image)
        if held:
            yield Batch(held, range(len(held)), exact)

    def fitting_batch_size(self) -> int:
        """Images at a time: 8, or on a GPU what fits, the same everywhere."""
        request, make = self.asked(0)
        size = [fitting_batch_size(self.model, request, len(self), make)]
        broadcast_object_list(size)
        return size[0]

    def requests(self, batch: Batch) -> tuple[list[Request], Make]:
        """The requests of a batch, and what makes their images."""
        requests = []
        for image in batch.images:
            first, _ = self.asked(image.kind)
            number = first.number + image.number
            requests.append(replace(first, number=number))
        return requests, self.asked(batch.images[0].kind)[1]

    def number(self, image: Wanted) -> int:
        """Number of an image among those of its seed."""
        arguments = self.kinds[image.kind].row.arguments
        return arguments.get('number', 0) + image.number

    def again(self, settings: Mapping[str, Any]) -> Batch:
        """The batch of one image that is generated again.

        Args:
            settings: Those of :func:`read_settings`.
        """
        image = next(self.images())._replace(number=settings['number'])
        batch = settings['batch']
        exact = bool(batch.get('exact'))
        return Batch([image] * batch['size'], [batch['place']], exact)

    def _start(self, arguments: Mapping[str, Any]) -> str | None:
        """What the names of a row's images start with; None for an index.

        Raises:
            ValueError: If it is a label, and there is none.
        """
        if self.name_by == 'index':
            return None
        start = arguments.get(self.name_by, 0)
        if self.name_by == 'label' and 'label' not in arguments:
            raise ValueError('name_by=label needs a label: give label')
        return re.sub(r'[^\w.-]+', '_', str(start))

    def _key(self, image: Wanted) -> tuple:
        kind = self.kinds[image.kind]
        return kind.size, image.kind if kind.edits else None

    def _kind(self, row: Row, num: int) -> Kind:
        """A row, checked against the model.

        Raises:
            FileNotFoundError, ValueError: Naming its line.
        """
        try:
            num = row.arguments.get('num', num)
            check_count('num', num)
            self._start(row.arguments)
            request, make = self._made(row.arguments)
        except (OSError, ValueError, TypeError) as error:
            if not row.where:
                raise
            raise row.refusal(error) from error
        return Kind(row, num, request.size, make is not predicted)

    def _plain(self, kind: int) -> dict[str, Any]:
        """The arguments that describe the images of a kind."""
        row, _, size, _ = self.kinds[kind]
        plain = dict(seed=0) | as_plain(row.arguments)
        for name in ('num', 'number'):  # those of one image are others
            plain.pop(name, None)
        # With strength, it is that of the image.
        return plain if 'strength' in plain else plain | dict(size=size)

    def _ask(self, kind: int) -> tuple[Request, Make]:
        return self._made(self.kinds[kind].row.arguments)

    def _made(self, arguments: Mapping[str, Any]) -> tuple[Request, Make]:
        """The first image of arguments, and what makes it."""
        arguments = {k: v for k, v in arguments.items() if k != 'num'}
        make = predicted
        if 'interpolate' in arguments:
            seeds = arguments.pop('interpolate')
            make = Interpolation(seeds, arguments.pop('frames'))
            arguments['seed'] = seeds[0]
        if 'strength' in arguments:
            make, arguments['size'] = self._variation(
                arguments.pop('image', None),
                arguments.pop('strength'),
                arguments.pop('size', None),
            )
        arguments = as_arguments(arguments)
        requests, _ = self.draw.asked(
            sampling=self.sampling, any_size=make is not predicted, **arguments
        )
        if len(requests) > 1:
            raise ValueError(
                'label and prompt of a row must be one each: write a row for '
                'each of them'
            )
        return requests[0], make

    def _variation(
        self, image: str | None, strength: float, size: Any
    ) -> tuple[Vary, tuple[int, int]]:
        """The edit that starts from an image, and the size of its results."""
        for field in ('gt_img', 'img_lq'):
            if field in self.draw.reads:
                raise ValueError(
                    'strength is not available for a model that reads '
                    f'{argument_of(field)} itself: omit it'
                )
        sides = {*size} if isinstance(size, tuple) else {size}
        if len(sides) > 1:
            raise ValueError(
                f'size={size} must be one side with strength, the shorter '
                'one, to which the image is scaled'
            )
        given = picture_of(image, sides.pop())
        steps = len(self.model.diffusion_scheduler.levels()) - 1
        strength = whole_strength(strength, steps)
        return Vary(to_unit_range(given), strength), tuple(given.shape[1:])
