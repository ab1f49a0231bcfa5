"""Packaging of mmpose_raf.

mmpose is not among the requirements: it declares chumpy, which current pip
cannot build and no import needs, so it must be installed with ``--no-deps``
(see the Makefile). ``pip install .`` serves an environment that has MMPose.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / 'mmpose_raf/version.py').read_text(), VERSION)

setup(
    name='mmpose_raf',
    version=VERSION['__version__'],
    description='Resolution-adaptive federated learning for MMPose',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmpose_raf*']),
    python_requires='>=3.10',
    # Lower bounds only: the versions that were tested together are pinned in
    # requirements.txt, for machines that have none of this yet.
    install_requires=[
        'torch>=2.1', 'numpy', 'mmengine>=0.10.5', 'tqdm', 'rich',
        'matplotlib'
    ],
    extras_require=dict(
        # For tools/feature_tsne.py: the first whose t-SNE fits its learning
        # rate to the number of rows by itself.
        analysis=['scikit-learn>=1.2']),
)
