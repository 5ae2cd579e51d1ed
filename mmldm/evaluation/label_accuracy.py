"""Metric: accuracy of predicted labels."""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric

from mmldm.registry import METRICS


@METRICS.register_module()
class LabelAccuracy(BaseMetric):
    """Accuracy of each of the named ``pred_labels``."""

    default_prefix = 'accuracy'

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
        """The accuracy, in [0, 1], for each name of a prediction."""
        return {
            name: sum(hit[name] for hit in results) / len(results)
            for name in results[0]
        }
