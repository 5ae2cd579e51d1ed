"""Types for several floors."""

from collections.abc import Callable, Sequence

from mmengine.config import ConfigDict
from torch import Tensor

ConfigType = ConfigDict | dict

# Returns standard normal noise with the shape, dtype and device of its
# argument.
DrawNoise = Callable[[Tensor], Tensor]

SampleList = Sequence  # of LDMDataSample; floor 0 cannot name floor 1
