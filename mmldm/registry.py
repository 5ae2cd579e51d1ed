"""The registries of mmldm, children of mmagic's.

A ``type='X'`` in a config is looked up here first, then in mmagic, then in
mmengine; ``type='mmagic.X'`` and ``type='mmldm.X'`` name the scope. The
modules in ``locations`` are imported at the first look-up.
"""

from mmagic import registry as mmagic_registry
from mmengine.registry import Registry

# All that register something, by their full names.
PACKAGES: set[str] = set()


def _child(name: str, parent: str, *locations: str) -> Registry:
    """A registry of scope ``mmldm`` below mmagic's registry ``parent``."""
    packages = [f'mmldm.{location}' for location in locations]
    PACKAGES.update(packages)
    child = Registry(
        name,
        parent=getattr(mmagic_registry, parent),
        scope='mmldm',
        locations=packages,
    )
    # mmengine resolves 'mmldm.X' from a third project through the children
    # of the root alone, and mmagic stands between the root and us.
    root = child.root
    if child.scope not in root.children:
        root.children[child.scope] = child
    return child


MODELS = _child('model', 'MODELS', 'models')
# The schedule's parts (noise schedules, predictions, solvers, guidance ...)
# register here too: their suffixes keep the names apart.
DIFFUSION_SCHEDULERS = _child(
    'diffusion scheduler', 'DIFFUSION_SCHEDULERS', 'diffusion'
)
DATASETS = _child('dataset', 'DATASETS', 'datasets', 'toy_data')
DATA_SAMPLERS = _child('data sampler', 'DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('transform', 'TRANSFORMS', 'datasets')
METRICS = _child('metric', 'METRICS', 'evaluation', 'toy_data')
HOOKS = _child('hook', 'HOOKS', 'engine', 'visualization')
LOOPS = _child('loop', 'LOOPS', 'engine')
RUNNERS = _child('runner', 'RUNNERS', 'engine')
OPTIM_WRAPPERS = _child('optimizer wrapper', 'OPTIM_WRAPPERS', 'engine')

MODEL_WRAPPERS = _child('model wrapper', 'MODEL_WRAPPERS', 'engine')
VISBACKENDS = _child('visualizer backend', 'VISBACKENDS', 'visualization')

# Nothing of ours is in these; without a node of our scope mmengine warns at
# every look-up.
EVALUATORS = _child('evaluator', 'EVALUATORS')
LOG_PROCESSORS = _child('log processor', 'LOG_PROCESSORS')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', 'OPTIM_WRAPPER_CONSTRUCTORS'
)
OPTIMIZERS = _child('optimizer', 'OPTIMIZERS')
PARAM_SCHEDULERS = _child('parameter scheduler', 'PARAM_SCHEDULERS')
VISUALIZERS = _child('visualizer', 'VISUALIZERS')
WEIGHT_INITIALIZERS = _child('weight initializer', 'WEIGHT_INITIALIZERS')
