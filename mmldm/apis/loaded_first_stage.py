"""A trained first stage, ready to be measured."""

from mmengine.runner import Runner

from mmldm.models.editors import FirstStage


def loaded_first_stage(runner: Runner, config: str) -> FirstStage:
    """The model of a runner, with the weights that its config loads.

    Args:
        runner: A new runner.
        config: Path of its config, for messages.

    Raises:
        ValueError: If it is another model.
    """
    model = runner.bare_model
    if not isinstance(model, FirstStage):
        raise ValueError(
            f'{config} has a {type(model).__name__}, expected a '
            'FirstStage: give config and checkpoint of its first stage'
        )
    runner.load_or_resume()
    return model.eval()
