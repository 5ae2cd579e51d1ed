"""Names of a batch's images, for errors."""

NUM_SHOWN = 8


def images_of(batch: dict) -> str:
    """' in a batch with the images a.png, ...'; empty if none has a name.

    Args:
        batch: Batch of a data loader, before the data preprocessor.
    """
    samples = batch.get('data_samples') or []
    paths = [sample.metainfo.get('img_path') for sample in samples]
    names = [str(path) for path in paths if path is not None]
    if not names:
        return ''
    more = ' ...' if len(names) > NUM_SHOWN else ''
    return (
        ' in a batch of this process with the images '
        f'{", ".join(names[:NUM_SHOWN])}{more}'
    )
