"""The site in Chinese: ``sphinx-build -W docs/zh_cn OUT``."""

import runpy
from pathlib import Path

EN = Path(__file__).parents[1] / 'en'
globals().update(
    {
        name: value
        for name, value in runpy.run_path(str(EN / 'conf.py')).items()
        if not name.startswith('__')
    }
)

language = 'zh_CN'
html_static_path = []
html_css_files = []  # nor does it have the pictures
