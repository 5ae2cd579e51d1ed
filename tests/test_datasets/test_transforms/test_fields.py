"""What a transform says where the dataset does not give what it reads."""

import pytest

from mmldm.datasets.transforms import (
    ChooseCaption,
    ChooseObjects,
    LoadFeatures,
    LoadLabelMap,
    LoadMask,
    LoadReference,
)


@pytest.mark.parametrize(
    'transform, field, annotations',
    [
        (ChooseCaption(), 'captions', 'Captions'),
        (ChooseObjects(), 'layout', 'CocoBoxes'),
        (LoadFeatures(), 'features_path', 'FeatureFiles'),
        (LoadLabelMap(3), 'map_path', 'LabelMaps'),
        (LoadMask(), 'mask_path', 'MaskFiles'),
        (LoadReference(), 'ref_path', 'ReferenceFiles'),
    ],
)
def test_a_missing_field_is_named_with_what_gives_it(
    transform, field, annotations
):
    reader = type(transform).__name__
    with pytest.raises(
        ValueError,
        match=f'{reader} needs {field}, which a.png lacks: add '
        rf"annotations=\[dict\(type='{annotations}', ...\)\]",
    ):
        transform(dict(img_path='a.png'))


def test_a_caption_is_any_of_them_or_the_first():
    captions = [*'abcdef']
    for random, expected in ((True, {*captions}), (False, {'a'})):
        choose = ChooseCaption(random=random)
        found = {
            choose.transform(dict(captions=captions))['caption']
            for _ in range(100)
        }
        assert found == expected
