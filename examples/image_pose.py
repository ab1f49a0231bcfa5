"""Keypoints in a photograph with MMPose, at an input size of your choice.

    python examples/image_pose.py CONFIG CHECKPOINT photo.jpg out.jpg \\
        --box 87 6 212 484 --size 96x72

Without a box the whole photograph is one person, without a size the crop has
that of the config.
"""

import argparse

import mmcv
import mmpose_raf  # noqa: F401  registers RAF's models
from mmengine.config import Config
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import VISUALIZERS
from mmpose_raf.sizes import parse_size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ('config', 'checkpoint', 'photo', 'out'):
        parser.add_argument(name)
    parser.add_argument('--box', nargs=4, type=float, help='x y w h')
    parser.add_argument('--size', metavar='HxW')
    args = parser.parse_args()

    cfg = Config.fromfile(args.config)
    if args.size:
        for step in cfg.test_dataloader.dataset.pipeline:
            if step.type == 'TopdownAffine':
                step.input_size = parse_size(args.size, '--size')
    model = init_model(cfg, args.checkpoint, device='cpu')
    boxes = [args.box] if args.box else None
    sample, = inference_topdown(model, args.photo, boxes, bbox_format='xywh')

    visualizer = VISUALIZERS.build(cfg.visualizer)
    visualizer.set_dataset_meta(model.dataset_meta)
    visualizer.add_datasample(
        'pose',
        mmcv.imread(args.photo, channel_order='rgb'),
        sample,
        draw_gt=False,
        out_file=args.out)
    found = sample.pred_instances
    names = model.dataset_meta['keypoint_id2name']
    for index, (place, score) in enumerate(
            zip(found.keypoints[0], found.keypoint_scores[0])):
        print(f'{names[index]:15} {place[0]:6.1f} {place[1]:6.1f} '
              f'{score:5.2f}')


if __name__ == '__main__':
    main()
