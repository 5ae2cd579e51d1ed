"""The command ``mmldm``: runs the tools that come with the package.

    mmldm train CONFIG ...        what python tools/train.py CONFIG ... does
    mmldm train --help

CONFIG is a file, or mmldm::ldm/NAME.py for one that comes with the package.
"""

import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mmldm import __version__
from mmldm.utils.checks import suggest
from mmldm.utils.shipped import FOLDER, shipped_configs

COMMANDS = {
    'train': 'tools/train.py',
    'test': 'tools/test.py',
    'sample': 'tools/sample.py',
    'edit': 'demo/edit_image.py',
    'app': 'demo/app.py',
    'judge': 'tools/judge.py',
    'publish': 'tools/model_converters/publish_model.py',
    'convert compvis': 'tools/model_converters/compvis_to_mmldm.py',
    'convert diffusers': 'tools/model_converters/diffusers_to_mmldm.py',
    'convert to-diffusers': 'tools/model_converters/mmldm_to_diffusers.py',
    'convert adapter': 'tools/model_converters/export_adapter.py',
    'analyze-logs': 'tools/analysis_tools/analyze_logs.py',
    'cache-latents': 'tools/cache_latents.py',
    'browse': 'tools/analysis_tools/browse_dataset.py',
    'benchmark': 'tools/analysis_tools/benchmark.py',
    'compare-first-stages': 'tools/analysis_tools/compare_first_stages.py',
    'compare-results': 'tools/analysis_tools/compare_results.py',
    'flops': 'tools/analysis_tools/get_flops.py',
    'print-config': 'tools/analysis_tools/print_config.py',
    'verify': 'tools/analysis_tools/verify_checkpoint.py',
    'vis-scheduler': 'tools/analysis_tools/vis_scheduler.py',
    'latent-noise': 'tools/analysis_tools/latent_noise.py',
    'latent-stats': 'tools/analysis_tools/latent_stats.py',
    'prepare celebahq': 'tools/dataset_converters/celebahq.py',
    'prepare emoji': 'tools/dataset_converters/emoji.py',
    'prepare imagenet': 'tools/dataset_converters/imagenet.py',
    'prepare reference-stats': 'tools/prepare_reference_stats.py',
    'prepare neighbours': 'tools/dataset_converters/neighbours.py',
    'dist-train': 'tools/dist_train.sh',
    'dist-test': 'tools/dist_test.sh',
    'launch': 'tools/launch.py',
    'update-metafiles': 'tools/update_metafiles.py',
    'slurm-train': 'tools/slurm_train.sh',
    'slurm-test': 'tools/slurm_test.sh',
    'benchmark adapter-memory': 'tools/benchmarks/adapter_memory.py',
    'benchmark average-cost': 'tools/benchmarks/average_cost.py',
    'benchmark cached-latents': 'tools/benchmarks/cached_latents.py',
    'benchmark checkpoint-cost': 'tools/benchmarks/checkpoint_cost.py',
    'benchmark data-pipeline': 'tools/benchmarks/data_pipeline.py',
    'benchmark data-start': 'tools/benchmarks/data_start.py',
    'benchmark denoiser': 'tools/benchmarks/denoiser.py',
    'benchmark first-stage-step': 'tools/benchmarks/first_stage_step.py',
    'benchmark generation-memory': 'tools/benchmarks/generation_memory.py',
    'benchmark gpu-smoke': 'tools/benchmarks/gpu_smoke.py',
    'benchmark inferencer': 'tools/benchmarks/inferencer.py',
    'benchmark judges': 'tools/benchmarks/judges.py',
    'benchmark knobs': 'tools/benchmarks/knobs.py',
    'benchmark metrics-cost': 'tools/benchmarks/metrics_cost.py',
    'benchmark noise': 'tools/benchmarks/noise.py',
    'benchmark page-faults': 'tools/benchmarks/page_faults.py',
    'benchmark processes': 'tools/benchmarks/processes.py',
    'benchmark runner-cost': 'tools/benchmarks/runner_cost.py',
    'benchmark sampling': 'tools/benchmarks/sampling.py',
    'benchmark solvers': 'tools/benchmarks/solvers.py',
    'benchmark startup': 'tools/benchmarks/startup.py',
    'benchmark step-memory': 'tools/benchmarks/step_memory.py',
    'benchmark training-step': 'tools/benchmarks/training_step.py',
}
CONFIGS = 'configs'


def main() -> None:
    """Run a command; status 2 where there is no such command."""
    words = sys.argv[1:]
    if not words or words[0] in ('-h', '--help'):
        print(help_text())
    elif words[0] in ('-V', '--version'):
        print(f'mmldm {__version__}')
    elif words[0] == CONFIGS:
        print('\n'.join(find_configs(words[1:])))
    else:
        command = find_command(words)
        run(command, words[len(command.split()) :])


def find_command(words: Sequence[str]) -> str:
    """The command that a command line begins with."""
    for count in (2, 1):
        command = ' '.join(words[:count])
        if command in COMMANDS:
            return command
    known = [name for name in COMMANDS if name.split()[0] == words[0]]
    wanted = ' '.join(words[:2] if known else words[:1])
    hint = suggest(wanted, known or [*COMMANDS, CONFIGS])
    print(f'error: mmldm {wanted} is unknown{hint}', file=sys.stderr)
    sys.exit(2)


def find_configs(words: Sequence[str]) -> list[str]:
    """Names of the configs that have all of these words in them."""
    names = shipped_configs()
    found = [name for name in names if all(word in name for word in words)]
    if not found:
        sys.exit(
            f'error: none of {len(names)} configs has {" and ".join(words)}'
        )
    return found


def run(command: str, arguments: Sequence[str]) -> None:
    """Run the tool of a command as its script is run."""
    script = FOLDER / COMMANDS[command]
    if script.suffix == '.sh':
        # The tool starts Python itself: this one, not the first on PATH.
        environment = {'PYTHON': sys.executable, **os.environ}
        os.execvpe('bash', ['bash', str(script), *arguments], environment)
    sys.argv = [f'mmldm {command}', *arguments]  # argparse shows this name
    sys.path.insert(0, str(script.parent))
    # Not runpy, which sets argv[0]. Other processes that the tool starts
    # look for __main__ and its file.
    module = ModuleType('__main__')
    module.__file__ = str(script)
    sys.modules['__main__'] = module
    code = compile(as_typed_here(script.read_text()), script, 'exec')
    exec(code, vars(module))


def as_typed_here(text: str) -> str:
    """Text in which tools are called by command, not by their file."""
    for command, script in COMMANDS.items():
        for program in ('python', 'bash'):
            text = text.replace(f'{program} {script}', f'mmldm {command}')
    return text


def help_text() -> str:
    """Every command with the first line of its tool's description."""
    width = max(map(len, COMMANDS)) + 2
    lines = [
        f'  {command:{width}}{first_line(FOLDER / script)}'
        for command, script in COMMANDS.items()
    ]
    configs = 'List the configs that come with mmldm [that have all WORDS].'
    return '\n'.join(
        [
            'usage: mmldm COMMAND ...\n',
            *lines,
            f'  {CONFIGS + " [WORDS]":{width}}{configs}',
            '\nmmldm COMMAND --help describes a command. CONFIG is a file, or '
            'the name that\n`mmldm configs` gives to one.',
        ]
    )


def first_line(script: Path) -> str:
    """What a tool does: the first line of its docstring, or comment."""
    if script.suffix == '.py':
        text = ast.get_docstring(ast.parse(script.read_text()))
    else:
        text = script.read_text().partition('\n# ')[2]
    return text.splitlines()[0]


if __name__ == '__main__':
    main()
