"""Adds to the wheel what setuptools would write and hatchling does not."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """Adds ``top_level.txt``, from which MIM learns the package's folder."""

    def initialize(self, version, build_data):
        """See hatchling's interface."""
        folder = f'{self.build_config.builder.project_id}.dist-info'
        source = Path(self.root, 'top_level.txt')
        build_data['force_include'][str(source)] = f'{folder}/top_level.txt'
