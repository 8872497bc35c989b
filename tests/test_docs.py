"""The README and the guides: links that lead somewhere, flags that exist, figures that agree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
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


def test_the_readme_is_a_page():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 150


def test_figures_of_the_readme_are_those_of_the_benchmarks():
    """Its table of GTSDB, rounded to one decimal."""
    benchmarks = (ROOT / 'docs/benchmarks.md').read_text().replace('*', '')
    rows = re.findall(r'^\| (.*?) \| 3 \| ([\d.]+) ± ([\d.]+) \|', benchmarks, re.MULTILINE)
    measured = {(f'{float(ap):.1f}', f'{float(deviation):.1f}') for _, ap, deviation in rows}
    shown = re.findall(r'\| ([\d.]+) ± ([\d.]+) \|', (ROOT / 'README.md').read_text())
    assert len(shown) == 5
    assert set(shown) <= measured


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip('material', reason='pip install -r requirements/docs.txt')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / 'index.html').read_text()
    assert 'href="own_data.html"' in home
    assert 'src="browse_zoom.jpg"' in home
