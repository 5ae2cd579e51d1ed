from .measuring import measure_stage
from .report import recommend, table
from .trainings import Budget, Stage, plan_stages, train

__all__ = [
    'Budget',
    'Stage',
    'measure_stage',
    'plan_stages',
    'recommend',
    'table',
    'train',
]
