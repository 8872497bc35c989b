"""Docstrings as the API pages want them: cross-references and examples in Markdown."""

import re
from typing import Any, Iterator

import griffe

_ROLE = re.compile(r':(?:mod|class|func|meth|attr|data|exc):`~?([\w.]+)`')
_REFERS = re.compile(r'See :(?:meth|attr):`[\w.]+`\.')
_EXAMPLE = re.compile(r'^Example:$', re.MULTILINE)
_LITERAL = re.compile(r'::$', re.MULTILINE)


class Roles(griffe.Extension):
    """Turns the roles of reStructuredText into links where the site documents their target."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Rewrite every docstring of the package."""
        for thing in _walk(pkg):
            if thing.docstring and _REFERS.fullmatch(thing.docstring.value):
                thing.docstring = None  # an override that only says where it is described
            elif thing.docstring:
                text = _ROLE.sub(lambda match, thing=thing: _link(match[1], thing), _plain(thing))
                thing.docstring.value = text


def _walk(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if not member.is_alias:
            yield from _walk(member)


def _plain(thing: griffe.Object) -> str:
    # Griffe knows examples by the plural; a literal block needs no second colon in Markdown.
    text = _EXAMPLE.sub('Examples:', thing.docstring.value)
    return _LITERAL.sub(':', text)


def _link(name: str, thing: griffe.Object) -> str:
    first, dot, rest = name.partition('.')
    try:
        path = thing.resolve(first) + dot + rest
    except griffe.NameResolutionError:
        path = name
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'
