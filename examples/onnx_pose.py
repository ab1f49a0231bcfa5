"""Keypoints of one person with onnxruntime: no PyTorch, no MMPose.

    python examples/onnx_pose.py pose.onnx photo.jpg 87 6 212 484 out.jpg

The numbers are the person's box: x, y, width and height in pixels. The model
is a file of `mmpose-raf export-onnx`.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime


def crop_person(image, box, size, meta):
    """The crop of a size (w, h), its corner (x, y) and its extent (w, h)."""
    x, y, w, h = box
    height = max(h, w * size[1] / size[0]) * meta['bbox_padding']
    extent = np.array([height * size[0] / size[1], height])
    corner = np.array([x + w / 2, y + h / 2]) - extent / 2
    zoom = (np.array(size) - int(meta['use_udp'])) / extent
    warp = np.column_stack([np.diag(zoom), -zoom * corner])
    return cv2.warpAffine(image, warp, size), corner, extent


def main(model, photo, x, y, w, h, out):
    session = onnxruntime.InferenceSession(
        model, providers=['CPUExecutionProvider'])
    texts = session.get_modelmeta().custom_metadata_map
    meta = {key: json.loads(text) for key, text in texts.items()}
    image = cv2.imread(photo)
    size = tuple(meta['training_sizes'][0][::-1])
    crop, corner, extent = crop_person(image, map(float, (x, y, w, h)), size,
                                       meta)
    keypoints, scores = session.run(['keypoints', 'scores'],
                                    dict(images=crop[None]))
    places = (keypoints[0] / size * extent + corner).round().astype(int)
    for name, place, score in zip(meta['keypoints'], places, scores[0]):
        print(f'{name:15} {place[0]:5} {place[1]:5} {score:5.2f}')
    for start, end in meta['skeleton']:
        if min(scores[0, start], scores[0, end]) > .3:
            cv2.line(image, places[start], places[end], (0, 200, 0), 2)
    cv2.imwrite(out, image)


if __name__ == '__main__':
    main(*sys.argv[1:])
