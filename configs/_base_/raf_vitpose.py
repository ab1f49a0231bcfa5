# ViTPose-B with GPE and LPE, trained on the ladder (RAF, arXiv 2507.23461),
# with the losses that were better than FedAvg at every size, at equal rounds
# (docs/results.md); paper_losses.py has the authors'. Sizes are (w, h) in
# pixels; the first is the codec's.
ladder = [(192, 256), (144, 192), (96, 128)]
codec = dict(
    type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)

model = dict(
    type='RAFPoseEstimator',
    ladder=ladder,
    level_weights='area',
    distill=dict(
        type='MultiResolutionDistillLoss',
        alpha=0.3,
        teacher='highest',
        resize='bilinear'),
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        non_blocking=True),
    backbone=dict(type='RAFViT', arch='base', drop_path_rate=0.3),
    head=dict(
        type='AnyResolutionHeatmapHead',
        sigma_mode='relative',
        in_channels=768,
        out_channels=17,
        deconv_out_channels=(256, 256),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False))
