"""Files outside of docs/ that pages link to, as pages of the site; and the list of messages."""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
from messages import as_markdown

# What a link from docs/ to the repository becomes.
OUTSIDE = {
    '../README.md': 'index.md',
    '../CHANGELOG.md': 'changelog.md',
    '../configs/README.md': 'configs.md',
    '../benchmarks/README.md': 'measuring.md',
    '../benchmarks/results/mini_street_retinanet.png': 'mini_street_retinanet.png',
}
_LINK = re.compile(r'\[([^\]]*)\]\(([^)\s]+)\)')


def on_files(files, config):
    """Add them."""
    for path, name in OUTSIDE.items():
        source = posixpath.join(config.docs_dir, path)
        files.append(File.generated(config, name, abs_src_path=source))
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links of a page lead to the site; those that leave it become plain text."""
    if page.file.src_uri == 'messages.md':
        return markdown + as_markdown()
    own = {name: path for path, name in OUTSIDE.items()}.get(page.file.src_uri)
    folder = posixpath.dirname(own or page.file.src_uri)

    def replace(match):
        text, link = match.groups()
        if '://' in link or link.startswith('#'):
            return match[0]
        path, hash_, anchor = link.partition('#')
        path = posixpath.normpath(posixpath.join(folder, path))
        path = path[len('../docs/') :] if path.startswith('../docs/') else OUTSIDE.get(path, path)
        if path not in files.src_uris:
            return text
        path = posixpath.relpath(path, posixpath.dirname(page.file.src_uri))
        return f'[{text}]({path}{hash_}{anchor})'

    return _LINK.sub(replace, markdown)
