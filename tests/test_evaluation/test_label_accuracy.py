from mmldm.evaluation import LabelAccuracy


def test_accuracy_is_the_share_of_hits_by_name():
    metric = LabelAccuracy()
    samples = [
        dict(gt_label=dict(label=label), pred_labels=dict(t_0=a, t_500=b))
        for label, a, b in ((3, 3, 3), (3, 3, 1), (7, 7, 1), (7, 3, 1))
    ]
    metric.process({}, samples[:1])
    metric.process({}, samples[1:])
    metrics = metric.evaluate(4)
    assert metrics == {'accuracy/t_0': 0.75, 'accuracy/t_500': 0.25}
