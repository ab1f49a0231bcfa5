"""README and docs: links, commands and configs that they name."""

import argparse
import ast
import re
import shlex
from importlib import import_module
from pathlib import Path

import mmengine.registry
import mmpose.registry
import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import Registry

import mmpose_raf.registry
from mmpose_raf.commands import COMMANDS
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf_compat.own_configs import find_own_config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
PAGES = [ROOT / 'README.md', *sorted(DOCS.rglob('*.md'))]


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks_of(page, language):
    """Code of the fenced blocks of a language, '' for none."""
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(),
                      re.M | re.S)


def anchor_of(heading):
    """As GitHub and mkdocs make it."""
    words = re.sub(r'[^\w\- ]', '', heading.lower()).strip()
    return words.replace(' ', '-')


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links(page):
    text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.M | re.S)
    for link in re.findall(r'\]\(([^)]+)\)', text):
        if '://' in link:
            continue
        link = re.sub(r'\s+', '', link)
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r'^#+ (.*)$', target.read_text(), re.M)
            assert anchor in map(anchor_of, headings), link


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_python(page):
    for code in blocks_of(page, 'python'):
        ast.parse(code)


def commands_of(page):
    """Arguments of each call of ``mmpose-raf`` in a page's blocks."""
    for language in ('', 'bash'):
        for block in blocks_of(page, language):
            lines = block.replace('\\\n', ' ').splitlines()
            for words in (shlex.split(line, comments=True) for line in lines
                          if re.search(r'\bmmpose.raf ', line)):
                for index, word in enumerate(words):
                    if Path(word).name in ('mmpose-raf', 'mmpose_raf'):
                        yield words[index + 1:]
                        break


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_commands(page):
    """Their options exist, and so do the configs that they name."""
    for name, *arguments in commands_of(page):
        if name == '--help':
            continue
        if (name, arguments[:1]) == ('fed_train', ['CONFIG']):  # by MIM
            continue
        assert name in COMMANDS
        parser = argparse.ArgumentParser(exit_on_error=False)
        import_module(f'mmpose_raf.commands.{name.replace("-", "_")}'
                      ).add_arguments(parser)
        parser.parse_args(arguments)
        for argument in arguments:
            if argument.startswith(('mmpose_raf::', 'configs/')):
                path = find_own_config(argument)
                assert (ROOT / path).is_file(), argument


def test_federated_config(tmp_path):
    """The one that is shown keeps the hooks of its base."""
    first, *_ = blocks_of(DOCS / 'how_to/federate.md', 'python')
    path = tmp_path / 'my_config.py'
    path.write_text(first)
    config = Config.fromfile(path)
    assert [hook.type for hook in config.custom_hooks
            ] == ['SyncBuffersHook', 'FederatedHook']
    settings = FederationSettings.of_config(config)
    assert [client.name for client in settings.clients
            ] == ['high', 'mid', 'low']


def components():
    """What mmpose_raf registers."""
    for module in (mmengine.registry, mmpose.registry, mmpose_raf.registry):
        for registry in vars(module).values():
            if isinstance(registry, Registry):
                for cls in registry.module_dict.values():
                    if cls.__module__.startswith('mmpose_raf.'):
                        yield cls


def test_reference_is_complete():
    text = (DOCS / 'reference.md').read_text()
    named = re.findall(r'^::: (\S+)$', text, re.M)
    classes = []
    for name in named:
        module, _, cls = name.rpartition('.')
        classes.append(getattr(import_module(module), cls))
    assert len(classes) == len(set(classes))
    assert set(components()) <= set(classes)


def test_navigation_is_complete():
    text = re.sub(r'!!python\S*', '', (ROOT / 'mkdocs.yml').read_text())
    named = []

    def collect(value):
        if isinstance(value, str):
            named.append(value)
        else:
            for item in (value.values() if isinstance(value, dict) else value):
                collect(item)

    collect(yaml.safe_load(text)['nav'])
    assert sorted(named) == sorted(
        str(path.relative_to(DOCS)) for path in DOCS.rglob('*.md'))
