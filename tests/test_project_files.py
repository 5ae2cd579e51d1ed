"""Files around the code: image, automatic checks, templates of issues."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def test_the_image_has_the_versions_of_the_lock():
    text = (ROOT / 'docker/Dockerfile').read_text()
    text = re.sub(r'^#.*\n', '', text, flags=re.M).replace('\\\n', ' ')
    sources = re.findall(r'^COPY (\S+) (\S+)', text, flags=re.M)
    assert sources[0][0] == 'requirements/lock.txt'
    assert all((ROOT / source).exists() for source, _ in sources)
    installs = re.findall(r'pip install[^&\n]*', text)
    assert all('--no-deps' in install for install in installs)
    assert f'-r {sources[0][1]}' in installs[0]
    version = re.search(r'^FROM python:(\d+\.\d+)\.\d+-', text, flags=re.M)
    lock = (ROOT / 'requirements/lock.txt').read_text()
    assert f'Python {version[1]}' in lock


def test_what_the_image_needs_is_not_left_out():
    left_out = (ROOT / '.dockerignore').read_text().split('\n')
    for needed in ('mmldm', 'configs', 'tools', 'demo', 'requirements'):
        assert needed not in left_out


def test_a_pull_request_runs_all_checks():
    path = ROOT / '.github/workflows/tests.yml'
    # YAML 1.1 reads the key 'on' as True.
    workflow = yaml.safe_load(path.read_text())
    assert {'push', 'pull_request'} == {*workflow[True]}
    (job,) = workflow['jobs'].values()
    assert job['steps'][-1] == {'run': '.ci/run'}
    assert (ROOT / '.ci/run').stat().st_mode & 0o100


TEMPLATES = sorted((ROOT / '.github/ISSUE_TEMPLATE').glob('*.yml'))


@pytest.mark.parametrize('path', TEMPLATES, ids=lambda path: path.stem)
def test_a_template_of_issues_is_valid(path):
    content = yaml.safe_load(path.read_text())
    if path.stem == 'config':
        return
    assert {'name', 'description', 'body'} <= {*content}
    kinds = {'markdown', 'textarea', 'input', 'dropdown', 'checkboxes'}
    for part in content['body']:
        assert part['type'] in kinds
        assert ('id' in part) == (part['type'] != 'markdown')
    # Files that a template names are there.
    for name in re.findall(r'[\w/]+\.md', path.read_text()):
        assert (ROOT / name).is_file(), name


def test_the_index_and_the_citation_can_be_read():
    for name in ('model-index.yml', 'CITATION.cff'):
        assert yaml.safe_load((ROOT / name).read_text())
