"""The base class of all editors."""

from abc import abstractmethod
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from mmldm.utils.size_parts import in_order, one_size_parts
from mmldm.utils.typing import ConfigType, SampleList

from ..layers import compile_blocks


class Editor(BaseModel):
    """A model that mmengine's Runner trains and tests.

    Args:
        data_preprocessor: Arguments of ``LDMDataPreprocessor``, or, with a
            ``type``, the config of another class.
    """

    #: Names of arguments, and of their modules, that only ``loss`` uses.
    training_parts: tuple[str, ...] = ()
    #: Modules whose running average, if there is one, is tested and published.
    averaged_parts: tuple[str, ...] = ()
    #: Networks that the config's key ``compile`` compiles.
    compiled_parts: tuple[str, ...] = ('autoencoder',)
    #: Whether training needs a running average, unless ema=None is given.
    needs_average = False
    #: Arguments that the editor fills in, by the dotted key of their part.
    fills_in: dict[str, tuple[str, ...]] = {}

    def __init__(self, data_preprocessor: ConfigType | None) -> None:
        super().__init__(
            {'type': 'mmldm.LDMDataPreprocessor', **(data_preprocessor or {})}
        )

    def forward(
        self,
        inputs: Tensor | None,
        data_samples: SampleList,
        mode: str = 'loss',
        iteration: int = 0,
    ) -> dict | SampleList:
        """Call ``loss`` or ``predict``, as ``mode`` says.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: One data sample for each image.
            mode: 'loss' or 'predict', given by mmengine's Runner.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples, iteration)
        assert mode == 'predict', mode
        return self.predict(inputs, data_samples)

    def compile_parts(self, **options: Any) -> None:
        """Compile the networks, but not what runs between them.

        Args:
            options: Arguments of ``torch.compile``.

        Raises:
            ValueError: If torch refuses the options.
        """
        for name in self.compiled_parts:
            try:
                compile_blocks(getattr(self, name), **options)
            except (RuntimeError, TypeError) as error:
                said = str(error).strip().partition('\n')[0]
                raise ValueError(
                    f'compile={options}: {type(error).__name__}: {said}: set '
                    'valid arguments of torch.compile, or compile=True'
                ) from error

    def val_step(self, data: dict[str, Any]) -> SampleList:
        """See ``BaseModel``; images of several sizes are made in turn."""
        step, parts = super().val_step, one_size_parts(data)
        if len(parts) == 1:
            return step(data)
        return in_order([(places, step(part)) for places, part in parts])

    def test_step(self, data: dict[str, Any]) -> SampleList:
        """See :meth:`val_step`."""
        return self.val_step(data)

    @abstractmethod
    def loss(
        self, inputs: Tensor, data_samples: SampleList, iteration: int = 0
    ) -> dict:
        """Loss terms by name; the Runner adds up those named ``loss_...``.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Conditions and random addresses.
            iteration: Number of finished iterations, counted by the training
                loop.
        """

    def trivial_losses(self, inputs: Tensor) -> dict[str, Tensor | float]:
        """Terms of the loss, by name, of a network that has learned nothing.

        A training whose terms stay there is dead; ``DeadRunHook`` compares
        them. Terms that are left out are not compared.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
        """
        return {}

    @abstractmethod
    def predict(
        self, inputs: Tensor | None, data_samples: SampleList
    ) -> SampleList:
        """The data samples with ``pred_img``, uint8 RGB (3, H, W)."""
