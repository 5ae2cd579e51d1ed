"""A picture of the power spectra of a test's images."""

from pathlib import Path

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from torch import Tensor

from mmldm.registry import HOOKS
from mmldm.utils.power_spectrum import OUTPUT, REAL, plot_spectra

from .reference_metrics_hook import ReferenceMetricsHook

FILE = 'spectra.png'
# Names of the images that ReferenceMetricsHook evaluates.
NAMES = dict(
    real='held-out images',
    reconstruction='reconstructions',
    noise='decoded noise',
)


@HOOKS.register_module()
class SpectraHook(Hook):
    """Draws the spectra that the metrics of a test have measured.

    These are ``Sharpness``, ``SuperResolutionMetrics`` and
    ``InpaintingMetrics``, with those of ``ReferenceMetricsHook``. The picture
    is ``spectra.png`` in the work directory.

    Args:
        output: Name of the images that the model has made.
    """

    # It is called after ReferenceMetricsHook.
    priority = 'LOW'

    def __init__(self, output: str = 'samples') -> None:
        self.output = output

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Draw the picture, if a metric has measured spectra."""
        found = _spectra(runner.test_evaluator)
        if REAL not in found:
            return
        curves = {REAL: found.pop(REAL), self.output: found.pop(OUTPUT)}
        curves |= found
        for hook in runner.hooks:
            if isinstance(hook, ReferenceMetricsHook):
                curves |= _of_references(hook, curves[REAL])
        path = Path(runner.work_dir, FILE)
        plot_spectra(path, curves)
        runner.logger.info(f'The power spectra of the images are in {path}')


def _spectra(evaluator: Evaluator) -> dict[str, Tensor]:
    """Spectra of all metrics of an evaluator, by name."""
    spectra: dict[str, Tensor] = {}
    for metric in evaluator.metrics:
        spectra |= getattr(metric, 'spectra', {})
    return spectra


def _of_references(
    hook: ReferenceMetricsHook, real: Tensor
) -> dict[str, Tensor]:
    """Spectra of reconstructions and others than the real images."""
    curves = {}
    for kind, evaluator in hook.evaluators.items():
        curve = _spectra(evaluator)[OUTPUT]
        if not curve.allclose(real):
            curves[NAMES[kind]] = curve
    return curves
