"""What transforms need the dataset to say of an image."""

from typing import Any

# Annotations that give a field.
GIVERS = {
    'captions': 'Captions',
    'features_path': 'FeatureFiles',
    'layout': 'CocoBoxes',
    'map_path': 'LabelMaps',
    'mask_path': 'MaskFiles',
    'ref_path': 'ReferenceFiles',
}


def require(results: dict, field: str, reader: object) -> Any:
    """The value of a field of the dataset.

    Args:
        results: Of the pipeline so far.
        field: Its name, one of ``GIVERS``.
        reader: The transform that needs it.

    Raises:
        ValueError: If there is no such field.
    """
    if field not in results:
        more = (
            ', or to ImageShards a .txt of each image or a caption_key'
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
