"""The documentation: links, commands, words, and the site."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm import __version__

ROOT = Path(__file__).parents[1]
SITES = ('en', 'zh_cn')
PAGES = sorted(
    [
        *(p for site in SITES for p in (ROOT / 'docs' / site).glob('*.md')),
        *ROOT.glob('*.md'),
        *ROOT.glob('configs/*/README.md'),
        *ROOT.glob('tools/*/README.md'),
        *ROOT.glob('tests/*/README.md'),
    ]
)
# Pages that state what a file of code is: all that they name must be there.
INCLUDE = re.compile(r'```\{include\} (\S+)\n')
LINK = re.compile(r'\[[^\]]*\]\(([^()\s]+)\)')
BLOCK = re.compile(r'^```(\w+)\n(.*?)^```', re.S | re.M)
# What a command of the page names instead of a file of the reader.
PLACE = re.compile(r'\$MMLDM/')


def name(path):
    return str(path.relative_to(ROOT))


def text_of(path):
    """A page, with the pages that it includes."""

    def included(match):
        return text_of(path.parent / match[1])

    return INCLUDE.sub(included, path.read_text())


def without_code(text):
    text = re.sub(r'^```.*?^```', '', text, flags=re.S | re.M)
    return re.sub(r'`[^`\n]*`', '', text)


def anchors(path):
    """What a link into a page may name: GitHub's names of its headings."""
    headings = re.findall(
        r'^#+ (.*)',
        re.sub(r'^```\w.*?^```', '', text_of(path), flags=re.S | re.M),
        re.M,
    )
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        for heading in headings
    }


def blocks(language):
    for path in PAGES:
        for i, (kind, text) in enumerate(BLOCK.findall(path.read_text())):
            if kind == language:
                yield pytest.param(text, id=f'{name(path)}-{i}')


def commands():
    """Every command of every page, in one line."""
    for path in PAGES:
        for kind, text in BLOCK.findall(path.read_text()):
            if kind in ('bash', 'shell'):
                joined = re.sub(r'\\\n\s*', ' ', text)
                for line in joined.splitlines():
                    yield name(path), line.partition(' #')[0].strip()


@pytest.mark.parametrize('path', PAGES, ids=name)
def test_links_lead_to_pages_and_headings(path):
    for target in LINK.findall(without_code(path.read_text())):
        if re.match(r'(https?|mailto):', target):
            continue
        file, _, anchor = target.partition('#')
        page = (path.parent / file).resolve() if file else path
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page), target


@pytest.mark.parametrize('site', SITES)
def test_every_page_is_in_the_contents(site):
    folder = ROOT / 'docs' / site
    index = (folder / 'index.md').read_text()
    trees = re.findall(r'```\{toctree\}\n(.*?)```', index, re.S)
    listed = {line for tree in trees for line in tree.split()}
    pages = {path.stem for path in folder.glob('*.md')} - {'index'}
    assert pages <= listed


@pytest.mark.parametrize('text', [*blocks('python')])
def test_python_that_is_shown_is_python(text):
    ast.parse(text)


@pytest.mark.parametrize('text', [*blocks('bash')])
def test_commands_that_are_shown_are_bash(text):
    subprocess.run(['bash', '-n'], input=text, text=True, check=True)


def test_commands_name_files_and_flags_that_exist():
    code = '\n'.join(
        path.read_text()
        for folder in ('tools', 'demo', 'mmldm', 'docs', 'tests')
        for path in (ROOT / folder).rglob('*')
        if path.suffix in ('.py', '.sh')
    )
    known = {*re.findall(r'--[a-z][\w-]+', code)}
    for page, line in commands():
        line = PLACE.sub('', line)
        if not re.match(r'(python|bash|mmldm) ', line):
            continue
        own = r'\b(?:tools|configs|demo|docs|tests)/[\w./-]+\.(?:py|sh|ipynb)'
        for file in re.findall(own, line):
            assert (ROOT / file).is_file(), (page, line)
        if line.startswith(('python -m', 'bash -')):
            continue
        for flag in re.findall(r'(?<=\s)--[a-z][\w-]+', line):
            assert flag in known, (page, flag)


def test_every_key_of_the_configs_is_explained():
    page = (ROOT / 'docs/en/configs.md').read_text()
    # Values that a config uses itself, for other keys.
    own = {'held_out', 'requests', 'source', 'pipeline', 'degrade', 'errors'}
    own |= {'class_conditional', 'first', 'judge_set', 'large', 'load'}
    own |= {'test_set', 'train_set', 'real_colours', 'codebook'}
    own |= {'features', 'named', 'pictures', 'scene_words', 'wallpapers'}
    own |= {'words'}
    missing = set()
    for path in ROOT.glob('configs/*/*.py'):
        if path.parent.name == '_base_':
            continue
        config = Config.fromfile(path)
        keys = {*config} - own
        for part in ('model', 'train_dataloader', 'default_hooks'):
            keys |= {*config[part]}
        for part in ('denoiser', 'autoencoder'):
            keys |= {*config.model.get(part, {})}
        missing |= {key for key in keys if not re.search(rf'\b{key}\b', page)}
    assert not missing


def test_the_version_is_in_the_changelog():
    assert f'\n## {__version__}' in (ROOT / 'CHANGELOG.md').read_text()


def test_words_are_spelt(tmp_path):
    """Headings and text, by a list of common mistakes."""
    codespell = pytest.importorskip('codespell_lib')
    files = [str(p) for p in PAGES if 'zh_cn' not in str(p)]
    assert codespell.main('--ignore-words-list', 'ot,te,fo', *files) == 0


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """Folder of each site, built with every warning an error."""
    pytest.importorskip('sphinx')
    root = tmp_path_factory.mktemp('documentation')
    ignored = shutil.ignore_patterns('_api', '_build')
    shutil.copytree(ROOT / 'docs', root / 'docs', ignore=ignored)
    # Pages that are included are copied, as their links are relative.
    shutil.copytree(ROOT / 'configs', root / 'configs')
    for file in ('CHANGELOG.md', 'CONTRIBUTING.md'):
        shutil.copy(ROOT / file, root)
    (root / 'mmldm').symlink_to(ROOT / 'mmldm')
    command = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going']
    for site in SITES:
        done = subprocess.run(
            [*command, root / 'docs' / site, root / site],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope='module')
def browser():
    webdriver = pytest.importorskip('selenium.webdriver')
    chromium, driver = map(shutil.which, ('chromium', 'chromedriver'))
    if not (chromium and driver):
        pytest.skip('needs chromium and chromedriver')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ('headless=new', 'no-sandbox', 'disable-dev-shm-usage'):
        options.add_argument(f'--{flag}')
    service = webdriver.ChromeService(driver)
    browser = webdriver.Chrome(options=options, service=service)
    browser.implicitly_wait(60)
    yield browser
    browser.quit()


@pytest.mark.slow
@pytest.mark.parametrize('site', SITES)
def test_the_site_is_built_without_a_warning(built, site):
    assert (built / site / 'own_images.html').is_file()


@pytest.mark.slow
@pytest.mark.parametrize('page', ['own_images', 'sampling', 'model_zoo'])
def test_pictures_load_and_narrow_screens_need_no_scrolling(
    built, browser, page
):
    browser.set_window_size(400, 850)
    browser.get((built / f'en/{page}.html').as_uri())
    missing = browser.execute_script(
        'return [...document.querySelectorAll("article img")]'
        '.filter(i => !i.naturalWidth).map(i => i.src)'
    )
    assert not missing
    assert browser.execute_script(
        'return document.documentElement.scrollWidth <= innerWidth'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    'words, page',
    [
        ('resume', 'training'),
        ('latent_scale', 'concepts'),
        ('samples grey', 'troubleshooting'),
        ('FID folder', 'judging'),
        ('class names', 'tasks'),
        ('add solver', 'extending'),
        ('two GPUs', 'several_gpus'),
    ],
)
def test_a_question_finds_its_page(built, browser, words, page):
    url = (built / 'en/search.html').as_uri()
    browser.get(f'{url}?q={words.replace(" ", "+")}')
    browser.find_element('css selector', '#search-results .search-summary')
    # Results come one after the other.
    browser.find_element('css selector', f'#search-results a[href*="{page}."]')
