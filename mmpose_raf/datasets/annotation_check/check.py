"""Checks an annotation file, whatever its format."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence, Union

from mmpose_raf.errors import ConfigError
from mmpose_raf.tables import render_table
from .coco import check_coco
from .findings import Finding, Findings
from .images import check_images
from .mpii import check_mpii


class Report(NamedTuple):
    """What a dataset makes of its annotation file.

    Args:
        path (str): The file.
        num_kept (int): Instances that are trained on.
        dropped (list[Finding]): Instances that are not, by the reason.
    """

    path: str
    num_kept: int
    dropped: Sequence[Finding]

    def __str__(self) -> str:
        rows = [[finding.what,
                 str(finding.count), finding.example]
                for finding in self.dropped]
        return (f'{self.path}: {self.num_kept} instances are used, '
                f'{sum(finding.count for finding in self.dropped)} are left '
                'out\n' + render_table(['why', 'instances', 'the first'],
                                       rows))


def check_annotation_file(path: Union[str, Path],
                          field: str,
                          image_folder: Optional[str] = None,
                          opens_images: bool = False) -> Optional[Report]:
    """Check the annotations that a dataset will read.

    Refused is what would end a training or change it without a word: missing
    fields, ids that two have, numbers that are not finite, keypoints without
    their number or far outside the image, visibilities other than 0 to 2,
    images that are not there. What MMPose leaves out is counted.

    Args:
        path (str | Path): A file in COCO's format or in that of MMPose's
            ``MpiiDataset``. Others are not looked at.
        field (str): Where it stands in the config, for messages.
        image_folder (str, optional): Folder of the images. Defaults to None:
            they are not looked for.
        opens_images (bool): Whether images are decoded. Defaults to False.

    Returns:
        Report | None: What is used and what is not; None for other formats.

    Raises:
        ConfigError: If the file is no JSON, holds no instance, or one that is
            to be refused. It names the first one of each kind.
    """
    path = str(path)
    content = _read(path, field)
    findings = Findings()
    if _is_coco(content):
        names, num_kept = check_coco(content, findings)
    elif isinstance(content, list):
        names, num_kept = check_mpii(content, findings)
    else:
        raise ConfigError(
            field, f"{path} has no lists 'images' and 'annotations'",
            "give annotations in COCO's format")
    if image_folder is not None:
        check_images(names, image_folder, findings, opens_images)
    if findings.refused:
        raise ConfigError(field, f'{path}: ' +
                          '; '.join(map(str, findings.refused)),
                          'mend the annotations')
    if not num_kept:
        left_out = '; '.join(map(str, findings.dropped)) or 'it is empty'
        raise ConfigError(field, f'{path}: no instance can be used: '
                          f'{left_out}', 'mend the annotations')
    return Report(path, num_kept, findings.dropped)


def _read(path: str, field: str) -> Any:
    try:
        with open(path, 'rb') as file:
            return json.load(file)
    except (ValueError, RecursionError) as error:
        size = os.path.getsize(path)
        raise ConfigError(field, f'{path} ({size} bytes) is no JSON: {error}',
                          'write or copy it again') from error


def _is_coco(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ('images',
                                                       'annotations'))
