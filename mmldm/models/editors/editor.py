"""What the editors have in common."""

from abc import abstractmethod

from mmengine.model import BaseModel
from torch import Tensor

from mmldm.utils.typing import ConfigType, SampleList


class Editor(BaseModel):
    """A model as mmengine's Runner trains it.

    Args:
        data_preprocessor: Arguments of ``LDMDataPreprocessor``, or, with a
            ``type``, another one.
    """

    #: Arguments, and modules of the same names, that only ``loss`` uses.
    training_parts: tuple[str, ...] = ()
    #: Modules whose running average is judged and kept, where there is one.
    averaged_parts: tuple[str, ...] = ()
    #: Whether a training has to keep one, unless it is left out by name.
    needs_average = False
    #: Arguments of its parts that it fills in, by the part's dotted key.
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
        """``mode`` is 'loss' or 'predict', as mmengine's Runner calls it."""
        if mode == 'loss':
            return self.loss(inputs, data_samples, iteration)
        assert mode == 'predict', mode
        return self.predict(inputs, data_samples)

    @abstractmethod
    def loss(
        self, inputs: Tensor, data_samples: SampleList, iteration: int = 0
    ) -> dict:
        """Terms named ``loss_...``, which are added up, and others.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Conditions, and addresses of what is drawn.
            iteration: Iterations done before this one, which the training
                loop counts.
        """

    @abstractmethod
    def predict(
        self, inputs: Tensor | None, data_samples: SampleList
    ) -> SampleList:
        """The data samples with ``pred_img``, uint8 RGB (3, H, W)."""
