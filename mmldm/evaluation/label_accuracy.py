"""Are labels recognised, by how noisy the image was?"""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric

from mmldm.registry import METRICS


@METRICS.register_module()
class LabelAccuracy(BaseMetric):
    """Accuracy of ``pred_labels`` for each of their conditions."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare a batch with its labels."""
        for sample in data_samples:
            label = int(sample['gt_label']['label'])
            self.results.append(
                {
                    name: predicted == label
                    for name, predicted in sample['pred_labels'].items()
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """``accuracy/NAME`` in [0, 1]."""
        return {
            f'accuracy/{name}': sum(hit[name] for hit in results)
            / len(results)
            for name in results[0]
        }
