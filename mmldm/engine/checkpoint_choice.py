"""The checkpoint that a run begins from."""

from mmengine.dist import all_gather_object
from mmengine.logging import MMLogger

from mmldm.utils.newest_checkpoint import newest_checkpoint


def choose_checkpoint(
    work_dir: str, resume: bool, load_from: str | None, logger: MMLogger
) -> tuple[bool, str | None]:
    """Whether a run is resumed, and the file that it loads.

    Args:
        work_dir: Folder whose newest complete checkpoint is resumed.
        resume: Whether to resume.
        load_from: File to load; None for the newest of the folder.
        logger: Hears that there is nothing to resume.

    Raises:
        ValueError: If the processes find different files.
    """
    if resume and load_from is None:
        newest = newest_checkpoint(work_dir)
        resume, load_from = newest is not None, newest and str(newest)
        if newest is None:
            logger.info(
                f'Nothing to resume in {work_dir}: training starts from the '
                'beginning'
            )
    plans = all_gather_object((resume, load_from))
    if len(set(plans)) > 1:
        raise ValueError(
            f'the processes find different checkpoints to load, {plans}: '
            'put --work-dir on a disk that all machines share'
        )
    return resume, load_from
