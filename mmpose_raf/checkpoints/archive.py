"""Whether the file of a checkpoint is whole.

``torch.save`` writes a zip archive with a check sum (CRC-32) for each tensor,
and ``torch.load`` does not look at them: a flipped byte would become another
weight.
"""

import tarfile
import zipfile
from typing import Optional

# A program, which torch.load would hand to torch.jit.
_TORCHSCRIPT_ENTRY = '/constants.pkl'


def find_damage(path: str) -> Optional[str]:
    """Read a file to its end, looking for damage.

    It runs no code and holds no more than a part of a tensor in memory. Files
    of PyTorch before 1.6 are no archives and have no check sums.

    Args:
        path (str): A local file.

    Returns:
        str | None: What is wrong with it; None if there is nothing to find.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _find_damage(archive)
    # zipfile also raises the last two over lengths and flags in a header.
    except (zipfile.BadZipFile, EOFError, NotImplementedError,
            RuntimeError) as error:
        return f'{type(error).__name__}: {error}'
    if tarfile.is_tarfile(path):
        return 'it is a tar archive, which PyTorch 0.1 wrote'
    return None


def _find_damage(archive: zipfile.ZipFile) -> Optional[str]:
    entries = archive.infolist()
    if any(entry.filename.endswith(_TORCHSCRIPT_ENTRY) for entry in entries):
        return 'it is a TorchScript archive, which holds a program'
    for entry in entries:
        # torch.save never compresses. Compressed entries can unfold to more
        # than any memory holds.
        if entry.compress_type != zipfile.ZIP_STORED:
            return f'its entry {entry.filename} is compressed'
    damaged = archive.testzip()
    if damaged is not None:
        return f'its entry {damaged} does not match its check sum'
    return None
