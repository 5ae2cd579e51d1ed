"""Editing of given pictures by a model that was not trained for editing."""

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

from PIL import Image
from torch import Tensor

from mmldm.models.editors import LatentDiffusion
from mmldm.models.editors.image_editing import whole_strength
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count, check_range
from mmldm.utils.pixels import to_unit_range

from .arguments import as_list, sampling_of, split_sampling
from .batches import watched
from .edits import Inpaint, Invert, Upscale, Vary
from .given import Box, canvas_of, hole_of, picture_of
from .pictures import Picture
from .requests import argument_of

Images = list[Image.Image] | list[LDMDataSample]
# Arguments of a call that do not say what is wanted, nor how to sample.
COMPUTING = ('batch_size', 'callback', 'return_datasamples', 'exact')


class Editing:
    """Mix-in of ``LatentDiffusionInferencer``: edits of one picture.

    Every edit takes the arguments of ``generate(...)`` besides its own:
    conditions, ``num``, ``seed``, sampling and so on. ``size`` is the shorter
    side to which the picture is scaled first, such as that of the training
    images; None leaves it. Results are pictures as those of a call.
    """

    model: LatentDiffusion

    def vary(
        self,
        image: Picture,
        strength: float = 0.6,
        size: int | None = None,
        **arguments: Any,
    ) -> Images:
        """Images like a picture: noise is added and removed again.

        Args:
            image: The picture to start from.
            strength: How much is generated anew, in (0, 1]; rounded to whole
                steps.
            size: See the class.
            arguments: See the class.

        Raises:
            FileNotFoundError, ValueError: Naming the argument.
        """
        self._refuse_pictures('vary')
        given = picture_of(image, size)
        view = self._view(arguments)
        steps = len(view.diffusion_scheduler.levels()) - 1
        edit = Vary(to_unit_range(given), whole_strength(strength, steps))
        return self._run(edit, size=given.shape[1:], **arguments)

    def inpaint(
        self,
        image: Picture,
        mask: Picture | None = None,
        box: Box | None = None,
        passes: int = 2,
        size: int | None = None,
        **arguments: Any,
    ) -> Images:
        """The picture with a part filled; the rest stays bit for bit.

        A model that reads image and mask itself fills the part as it was
        trained to, in one pass.

        Args:
            image: The picture.
            mask: A picture of its size, white or 1 where to fill, black or 0
                where to keep; grey counts as white above 127, transparent
                pixels as black.
            box: The part to fill instead of a mask: (left, top, right,
                bottom), pixels of the scaled picture.
            passes: How often to sample, see ``LatentDiffusion.inpaint``.
            size: See the class.
            arguments: See the class.

        Raises:
            FileNotFoundError, ValueError: Naming the argument.
        """
        check_count('passes', passes)
        given, hole = hole_of(image, mask, box, size)
        return self._filled(given, hole, passes, arguments)

    def outpaint(
        self,
        image: Picture,
        left: int = 0,
        right: int = 0,
        top: int = 0,
        bottom: int = 0,
        size: int | None = None,
        **arguments: Any,
    ) -> Images:
        """The picture continued beyond its borders; it stays bit for bit.

        Args:
            image: The picture.
            left: New pixels on this side.
            right: New pixels on this side.
            top: New pixels on this side.
            bottom: New pixels on this side.
            size: See the class.
            arguments: See the class, and ``passes`` of :meth:`inpaint`.

        Raises:
            FileNotFoundError, ValueError: Naming the argument.
        """
        passes = arguments.pop('passes', 2)
        check_count('passes', passes)
        padding = dict(left=left, right=right, top=top, bottom=bottom)
        given, room = canvas_of(picture_of(image, size), padding)
        return self._filled(given, room, passes, arguments)

    def upscale(
        self,
        image: Picture,
        factor: int | None = None,
        weight: float = 10.0,
        size: int | None = None,
        **arguments: Any,
    ) -> Images:
        """Larger images that look like the picture when they are shrunk.

        A model that reads low-resolution images enlarges as it was trained
        to; others are guided by the gradient of the distance to the picture.

        Args:
            image: The small picture.
            factor: How much larger; None for that of the model, or 4.
            weight: How closely guidance follows the picture, >= 0.
            size: See the class.
            arguments: See the class.

        Raises:
            FileNotFoundError, ValueError: Naming the argument.
        """
        given = picture_of(image, size)
        if 'img_lq' in self.reads:
            own = self.model.autoencoder.factor
            if factor not in (None, own):
                raise ValueError(
                    f'factor={factor} is not available: the model enlarges '
                    f'by {own}'
                )
            return self(low_res=given, **arguments)
        self._refuse_pictures('upscale')
        factor = 4 if factor is None else factor
        check_count('factor', factor)
        check_range('weight', weight, 0, math.inf)
        large = tuple(factor * side for side in given.shape[1:])
        edit = Upscale(to_unit_range(given), factor, float(weight))
        return self._run(edit, size=large, **arguments)

    def invert(
        self,
        image: Picture,
        iterations: int = 1,
        to_label: int | str | list | None = None,
        to_prompt: str | list | None = None,
        size: int | None = None,
        **arguments: Any,
    ) -> Images:
        """The picture from its own noise, then with other conditions.

        The noise that the picture comes from under its conditions is found by
        DDIM backwards, and sampled again with them and with the others.

        Args:
            image: The picture.
            iterations: Evaluations a step backwards; more for the picture to
                come back exactly.
            to_label: Classes to generate from the same noise.
            to_prompt: Captions to generate from the same noise.
            size: See the class.
            arguments: See the class; conditions are those of the picture.

        Returns:
            The picture again, then one for each ``to_label`` with each
            ``to_prompt``.

        Raises:
            FileNotFoundError, ValueError: Naming the argument.
        """
        check_count('iterations', iterations)
        if arguments.pop('num', 1) != 1:
            raise ValueError('num has no effect with invert: omit it')
        self._refuse_pictures('invert')
        given = picture_of(image, size)
        shape, view = given.shape[1:], self._view(arguments)
        asked = {k: v for k, v in arguments.items() if k not in COMPUTING}
        sources, _ = self.asked(size=shape, any_size=True, **asked)
        if len(sources) > 1:
            raise ValueError(
                'label and prompt are those of the picture: give one of each, '
                'and others as to_label and to_prompt'
            )
        (source,) = sources
        start = view.invert(
            to_unit_range(given)[None].to(next(view.parameters()).device),
            [source.data_sample()],
            iterations,
            watched(arguments.get('callback')),
        )
        edit = Invert(start[0], iterations)
        return [
            result
            for kind in _kinds(arguments, to_label, to_prompt)
            for result in self._run(edit, size=shape, **kind)
        ]

    def _filled(
        self,
        given: Tensor,
        hole: Tensor,
        passes: int,
        arguments: dict[str, Any],
    ) -> Images:
        """The picture (3, H, W) with new content where ``hole`` is 1."""
        if {'gt_img', 'mask'} <= {*self.reads}:
            return self(image=given, mask=hole, **arguments)
        self._refuse_pictures('inpaint')
        edit = Inpaint(to_unit_range(given), hole, passes)
        return self._run(edit, size=given.shape[1:], **arguments)

    def _view(self, arguments: dict[str, Any]) -> LatentDiffusion:
        """The model that samples as the arguments ask."""
        own, _ = split_sampling(arguments)
        return self.model.sampling_by(sampling_of(self.model, own))

    def _refuse_pictures(self, edit: str) -> None:
        """Raise if the model reads a picture, which an edit would also be."""
        for field in ('gt_img', 'img_lq'):
            if field in self.reads:
                raise ValueError(
                    f'image is not available for {edit} of this model, which '
                    f'reads {argument_of(field)} itself: call '
                    'generate(...) with what it reads'
                )


def _kinds(
    arguments: Mapping[str, Any], to_label: Any, to_prompt: Any
) -> list[dict[str, Any]]:
    """Arguments of a picture, then those of its other versions."""
    kinds = [dict(arguments)]
    if to_label is None and to_prompt is None:
        return kinds
    names = dict(label=to_label, prompt=to_prompt)
    values = [
        as_list(arguments.get(name) if value is None else value)
        for name, value in names.items()
    ]
    for label, prompt in product(*values):
        kinds.append(arguments | dict(label=label, prompt=prompt))
    return kinds
