"""Types that several floors share."""

from collections.abc import Callable, Sequence

from mmengine.config import ConfigDict
from torch import Tensor

ConfigType = ConfigDict | dict

# Draws standard normal noise of the shape, dtype and device of its argument.
DrawNoise = Callable[[Tensor], Tensor]

SampleList = Sequence  # of LDMDataSample; floor 0 cannot name floor 1
