"""The README and the guides: links that lead somewhere, flags that exist, figures that agree."""

import html
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import lzu_mm
from lzu_mm import UnzoomNeck, load_saliency
from lzu_mm.data_preprocessors import ZoomSettings
from lzu_mm.warps import saliency_to_warp

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
# The others are evidence: each says what its figures were measured with.
GUIDES = [page for page in PAGES if page.stem not in ('benchmarks', 'mini_street')]
LINK = re.compile(r'\]\(([^)\s]+)\)')
TOOL = re.compile(r'(?:lzu-mm |python tools/)([\w-]+?)(?:\.py)? (.*)')


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_tools_know_the_flags_of_the_commands(page):
    blocks = re.findall(r'```bash\n(.*?)```', page.read_text(), re.DOTALL)
    shared = (ROOT / 'lzu_mm/engine/launch.py').read_text()
    for line in '\n'.join(blocks).replace('\\\n', ' ').splitlines():
        for tool, arguments in TOOL.findall(line.partition('#')[0]):
            stem = tool.replace('-', '_')
            (path,) = [
                found
                for found in (ROOT / 'tools').rglob(f'{stem.replace("convert_", "", 1)}.*')
                if found.suffix in ('.py', '.sh')
            ] or (ROOT / 'tools').rglob(f'{stem}.*')
            for flag in re.findall(r'--[a-z][\w-]*', arguments):
                assert f"'{flag}'" in path.read_text() + shared, (tool, flag)


@pytest.mark.parametrize('page', GUIDES, ids=lambda page: page.name)
def test_guides_say_which_test_runs_a_command(page):
    """Before each block stands the test that runs it, or why none does."""
    text = page.read_text()
    marked = re.findall(r'<!-- (?:run by|not run:) (.*) -->\n```bash', text)
    assert len(marked) == text.count('```bash')
    for path in re.findall(r'tests/[\w/.]+', ' '.join(marked)):
        assert (ROOT / path).exists(), path


def test_the_readme_is_a_page():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 150


def test_figures_of_the_readme_are_those_of_the_benchmarks():
    """Its table of GTSDB, rounded to one decimal."""
    benchmarks = (ROOT / 'docs/benchmarks.md').read_text().replace('*', '')
    rows = re.findall(r'^\| (.*?) \| 3 \| ([\d.]+) ± ([\d.]+) \|', benchmarks, re.MULTILINE)
    measured = {(f'{float(ap):.1f}', f'{float(deviation):.1f}') for _, ap, deviation in rows}
    shown = re.findall(r'\| ([\d.]+) ± ([\d.]+) \|', (ROOT / 'README.md').read_text())
    assert len(shown) == 7
    assert set(shown) <= measured


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """The site, built with warnings as errors."""
    pytest.importorskip('mkdocstrings_handlers', reason='pip install -r requirements/docs.txt')
    folder = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_has_the_guides(site):
    home = (site / 'index.html').read_text()
    assert 'href="own_data.html"' in home
    assert 'src="browse_zoom.jpg"' in home


@pytest.mark.parametrize('room', sorted(path.stem for path in (ROOT / 'docs/api').glob('*.md')))
def test_the_site_documents_every_public_name(site, room):
    page = (site / f'api/{room}.html').read_text()
    names = import_module(f'lzu_mm.{room}').__all__
    assert [name for name in names if f'id="lzu_mm.{room}.{name}"' not in page] == []
    # Roles, literal blocks and examples of reStructuredText.
    assert not re.search(r':\w+:`|::</p>|<blockquote', page)


def test_every_room_of_the_package_has_an_api_page():
    assert {path.stem for path in (ROOT / 'docs/api').glob('*.md')} >= set(lzu_mm._EXPORTS)


@pytest.mark.parametrize(
    'refused',
    [
        lambda: ZoomSettings(dict(type='lzu_mm.UniformSaliency')),
        lambda: ZoomSettings(dict(type='lzu_mm.UniformSaliency'), scale=0),
        lambda: saliency_to_warp(torch.zeros(1, 1, 1, 1)),
        lambda: UnzoomNeck(),
        lambda: load_saliency('nowhere.npz'),
    ],
)
def test_the_site_lists_what_users_read(refused):
    """Also messages that are worded elsewhere than where they are raised."""
    with pytest.raises((ValueError, RuntimeError, FileNotFoundError)) as caught:
        refused()
    listed = runpy.run_path(str(ROOT / 'docs/_site/messages.py'))['messages']()
    patterns = [
        '.*'.join(map(re.escape, t.split('…'))) for room in listed.values() for _, t in room
    ]
    # Values alone would fit anything.
    patterns = [each for each in patterns if len(each.replace('.*', '')) > 20]
    assert any(re.fullmatch(each, str(caught.value), re.DOTALL) for each in patterns)


def test_the_site_has_the_messages(site):
    page = html.unescape((site / 'messages.html').read_text())
    for text in (
        'zoom.uniform_share is for zoom.method',
        "set its type to 'lzu_mm.Zoom",
        'NoLabelsError',
    ):
        assert text in page
