"""Fields of the data set that transforms require."""

from typing import Any

# Field -> class of annotations that gives it.
GIVERS = {
    'captions': 'Captions',
    'features_path': 'FeatureFiles',
    'layout': 'CocoBoxes',
    'map_path': 'LabelMaps',
    'mask_path': 'MaskFiles',
    'ref_path': 'ReferenceFiles',
    'tokens_path': 'TokenFiles',
}


def require(results: dict, field: str, reader: object) -> Any:
    """The value of a required field of the data set.

    Args:
        results: The pipeline's results so far.
        field: Name of the field, a key of ``GIVERS``.
        reader: The transform that needs the field.

    Raises:
        ValueError: If the field is missing.
    """
    if field not in results:
        more = (
            ', or give ImageShards a .txt for each image or a caption_key'
            if field == 'captions'
            else ''
        )
        raise ValueError(
            f'{type(reader).__name__} needs {field}, which '
            f'{results.get("img_path", "a sample")} lacks: add '
            f"annotations=[dict(type='{GIVERS[field]}', ...)] to the dataset"
            f'{more}'
        )
    return results[field]
