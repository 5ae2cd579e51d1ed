"""The page as visitors see it, in Debian's chromium without a window."""

import gc
import io
import json
import re
import shutil
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from mmldm.apis.inference.page import Limits

pytest.importorskip('gradio', reason='the page needs mmldm[app]')
pytest.importorskip('selenium', reason='a browser is driven by selenium')

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from mmldm.apis.inference.page.page import Page  # noqa: E402

CHROMIUM, DRIVER = map(shutil.which, ('chromium', 'chromedriver'))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason='no chromium: apt-get install chromium chromium-driver',
    ),
]
PATIENCE = 120  # seconds
FLAGS = (
    *('--headless=new', '--no-sandbox', '--disable-gpu'),
    *('--disable-dev-shm-usage', '--window-size=1280,1400'),
)
MEMORY = Path('/proc/self/status')
LINE = "document.querySelector('#status .mmldm-line')"
ENDED = re.compile(r'images? drawn|Error|Cancelled')


@pytest.fixture(scope='module')
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options, Service(DRIVER))
    yield browser
    browser.quit()


class Visitor:
    """A tab that shows a page."""

    def __init__(self, chromium, url):
        self.browser, self.url = chromium, url
        chromium.switch_to.new_window('tab')
        self.tab = chromium.current_window_handle
        chromium.get(url)
        self.wait_for(lambda: self.all('#draw'))
        self.wait_for(lambda: self.status)

    def wait_for(self, what, patience=PATIENCE):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.05)
        raise AssertionError(f'nothing came; the status is {self.status!r}')

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.wait_for(lambda: self.all(selector))[0]

    @property
    def status(self):
        return self.browser.execute_script(
            f"return {LINE}?.innerText || ''"
        ).strip()

    def click(self, name):
        self.one(f'#{name}').click()

    def drawn(self, ended=ENDED):
        """The images of a request, in their order; the status."""
        self.browser.execute_script(f'{LINE}.dataset.old = 1')
        self.click('draw')
        new = f'return {LINE} && !{LINE}.dataset.old'
        self.wait_for(lambda: self.browser.execute_script(new))
        return self.ended(ended)

    def ended(self, ended=ENDED):
        status = self.wait_for(
            lambda: ended.search(self.status) and self.status
        )
        return status, self.images()

    def images(self):
        """The files in the gallery, as a visitor downloads them."""
        files = [
            image.get_attribute('src') for image in self.all('#images img')
        ]
        return [Image.open(io.BytesIO(urlopen(file).read())) for file in files]

    def set(self, name, value):
        box = self.one(f'#{name} input, #{name} textarea')
        box.send_keys(Keys.CONTROL, 'a')
        box.send_keys(str(value), Keys.TAB)

    def drag(self, board, start, end):
        """Drag over parts of a board's canvas."""
        canvas = self.one(f'#{board} canvas')
        size = canvas.size
        places = [
            (int((x - 0.5) * size['width']), int((y - 0.5) * size['height']))
            for x, y in (start, end)
        ]
        ActionChains(self.browser).move_to_element_with_offset(
            canvas, *places[0]
        ).click_and_hold().move_to_element_with_offset(
            canvas, *places[1]
        ).release().perform()


@pytest.fixture
def served(inferencer):
    pages = []

    def served(kind, steps=2, seconds=0.0, **limits):
        """A page with a model that takes a while for each of its steps."""
        generate = inferencer(kind)
        generate.model.diffusion_scheduler.num_steps = steps
        forward = generate.model.denoiser.forward

        def slow(*args):
            time.sleep(seconds)
            return forward(*args)

        generate.model.denoiser.forward = slow
        page = Page(generate, Limits(**limits), kind)
        pages.append(page)
        return page, page.launch('127.0.0.1', None)

    yield served
    for page in pages:
        page.close()


@pytest.fixture
def visit(served, chromium):
    home = chromium.current_window_handle

    def visit(kind, **settings):
        page, url = served(kind, **settings)
        return page, Visitor(chromium, url)

    yield visit
    for tab in chromium.window_handles:
        if tab != home:
            chromium.switch_to.window(tab)
            chromium.close()
    chromium.switch_to.window(home)


def watched(page):
    """Remembers what the page asks its model for."""
    asked, submit = [], page.studio.submit

    def watch(visitor, arguments):
        asked.append(arguments)
        return submit(visitor, arguments)

    page.studio.submit = watch
    return asked


def check_images(found, wanted):
    assert len(found) == len(wanted)
    for image, expected in zip(found, wanted, strict=True):
        assert np.array_equal(image.convert('RGB'), expected)


def test_a_class_is_drawn_and_an_image_tells_its_settings(visit):
    page, visitor = visit('class')
    visitor.one('input[aria-label="Class"]').send_keys(
        Keys.CONTROL, 'a', Keys.NULL, '7', Keys.ENTER
    )
    visitor.set('seed', 5)
    status, images = visitor.drawn()
    assert status == '4 images drawn.'
    check_images(images, page.generate(label=7, seed=5, num=4))
    assert json.loads(images[1].info['mmldm'])['number'] == 1
    visitor.all('#images button img')[2].click()
    text = visitor.wait_for(
        lambda: visitor.all('#settings') and visitor.one('#settings').text
    )
    assert '"label": 7' in text and '"number": 2' in text


def test_a_prompt_is_drawn_and_wrong_ones_are_a_line(visit):
    page, visitor = visit('text')
    status, images = visitor.drawn()
    assert status.startswith('Error: ') and not images
    visitor.set('prompt', 'a red <b>dragon</b>')
    status, images = visitor.drawn()
    assert status.startswith('Error: ') and not images
    assert not visitor.all('#status b')
    visitor.set('prompt', 'a red circle')
    status, images = visitor.drawn()
    check_images(images, page.generate(prompt='a red circle', num=4))
    assert not visitor.all('.mmldm-error')


def test_boxes_are_drawn_with_the_mouse(visit):
    page, visitor = visit('layout')
    asked = watched(page)
    visitor.drag('layout', (0.25, 0.25), (0.75, 0.5))
    visitor.one('#layout select').send_keys('4')
    visitor.drag('layout', (0.9, 0.9), (0.5, 0.6))
    visitor.drag('layout', (0.1, 0.1), (0.2, 0.2))
    visitor.one('#layout .board-undo').click()
    _, images = visitor.drawn()
    (arguments,) = asked
    (first, box), (second, other) = arguments['layout']
    assert (first, second) == (0, 4)
    assert box == pytest.approx((0.25, 0.25, 0.5, 0.25), abs=0.01)
    assert other == pytest.approx((0.5, 0.6, 0.4, 0.3), abs=0.01)
    check_images(images, page.generate(layout=arguments['layout'], num=4))


def test_a_map_is_painted(visit):
    page, visitor = visit('map')
    asked = watched(page)
    visitor.one('#map select').send_keys('2')
    visitor.one('#map .board-clear').click()  # fills
    visitor.one('#map select').send_keys('5')
    visitor.drag('map', (0, 0.5), (1, 0.5))
    _, images = visitor.drawn()
    painted = asked[0]['map']
    assert painted.shape == (16, 16)
    assert (painted[8] == 5).all() and (painted[[0, -1]] == 2).all()
    check_images(images, page.generate(map=painted, num=4))


def test_the_hole_in_an_uploaded_picture_is_painted(visit, tmp_path):
    page, visitor = visit('hole')
    asked = watched(page)
    array = np.random.default_rng(0).integers(0, 256, (20, 32, 3), np.uint8)
    Image.fromarray(array).save(tmp_path / 'picture.png')
    visitor.one('input[type=file]').send_keys(str(tmp_path / 'picture.png'))
    visitor.wait_for(lambda: visitor.one('#mask canvas').is_displayed())
    status, _ = visitor.drawn()
    assert status == 'Error: mask is empty: paint over what is to be filled'
    visitor.drag('mask', (0.5, 0.5), (0.7, 0.5))
    _, images = visitor.drawn()
    hole = asked[0]['mask'].astype(bool)
    assert hole[10, 16:22].all() and not hole[:, :10].any()
    for image in images:
        assert np.array_equal(np.asarray(image)[~hole], array[~hole])
    check_images(images, page.generate(image=array, mask=hole, num=4))


def test_what_is_no_picture_is_a_line_and_the_page_lives_on(
    visit, chromium, tmp_path
):
    _, visitor = visit('small')
    (tmp_path / 'picture.png').write_text('no picture')
    Image.new('RGB', (8, 8), 'red').save(tmp_path / 'other.png')
    visitor.one('input[type=file]').send_keys(str(tmp_path / 'picture.png'))
    visitor.one('#low-res img')
    status, _ = visitor.drawn()
    assert status.startswith('Error: ') and 'picture.png' in status
    other = Visitor(chromium, visitor.url)
    other.one('input[type=file]').send_keys(str(tmp_path / 'other.png'))
    other.one('#low-res img')
    status, images = other.drawn()
    assert status == '4 images drawn.' and images[0].size == (16, 16)


def test_progress_shows_previews_and_cancel_ends_it(visit):
    _, visitor = visit('class', steps=200, seconds=0.5)
    visitor.click('draw')
    status = visitor.wait_for(
        lambda: visitor.all('.mmldm-previews img') and visitor.status
    )
    assert re.match(r'Images 1 to 4 of 4, step \d+ of 200', status)
    visitor.click('cancel')
    status, images = visitor.ended()
    assert status == 'Cancelled.' and not images


def test_four_visitors_ask_for_twenty_requests_and_cancel_some(
    visit, chromium
):
    page, first = visit('class', seconds=1, waiting=4)
    visitors = [first, *(Visitor(chromium, first.url) for _ in range(3))]
    ends, wanted = [], page.generate(label=0, num=4)
    for turn in range(5):
        for visitor in visitors:
            chromium.switch_to.window(visitor.tab)
            visitor.click('draw')
            visitor.wait_for(lambda v=visitor: not ENDED.search(v.status))
        if turn % 2:
            visitors[-1].click('cancel')
        for visitor in visitors:
            chromium.switch_to.window(visitor.tab)
            status, images = visitor.ended()
            ends.append(status)
            check_images(images[:4], wanted)
    assert len(ends) == 20 and ends.count('Cancelled.') == 2
    assert {*ends} == {'4 images drawn.', 'Cancelled.'}


def test_a_busy_model_says_so(visit, chromium):
    _, first = visit('class', seconds=8, waiting=1)
    visitors = [first, *(Visitor(chromium, first.url) for _ in range(2))]
    for visitor in visitors:
        chromium.switch_to.window(visitor.tab)
        before = visitor.status
        visitor.click('draw')
        visitor.wait_for(lambda v=visitor, b=before: v.status != b)
    status, _ = visitors[2].ended()
    assert status.startswith('Error: the model is busy, and 1 request is')
    chromium.switch_to.window(visitors[1].tab)
    assert visitors[1].wait_for(lambda: visitors[1].status) == (
        'The model is busy: 1 request before yours.'
    )


def test_a_closed_tab_ends_its_request(visit):
    page, visitor = visit('class', steps=200, seconds=0.5)
    visitor.click('draw')
    visitor.wait_for(lambda: 'step' in visitor.status)
    (job,) = page.studio._jobs
    visitor.browser.get('about:blank')
    assert job.cancelled.wait(PATIENCE)


@pytest.mark.skipif(not MEMORY.exists(), reason='no /proc')
def test_memory_stays_in_two_hundred_requests(visit):
    _, visitor = visit('class', steps=1)
    after = {}
    for number in range(1, 201):
        count = 2 + number % 2  # so that each end has another text
        visitor.set('num', count)
        assert visitor.drawn()[0] == f'{count} images drawn.'
        if number in (20, 200):
            gc.collect()
            after[number] = memory()
    print(f'memory after 20 and 200 requests: {after} MB')
    assert after[200] < 1.05 * after[20]


def memory():
    """Memory of this process, MB."""
    line = re.search(r'VmRSS:\s+(\d+) kB', MEMORY.read_text())
    return int(line[1]) / 1024
