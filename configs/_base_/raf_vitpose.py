# ViTPose-B trained on the ladder at the computation of plain FedAvg: one level
# for each batch, also of those above the client's native size, targets of one
# width in the image, and Fourier features as position encoding. On photographs
# that is ahead of stock ViTPose at every size (docs/results.md). The method as
# published is in paper_losses.py. Sizes are (w, h) in pixels; the first is the
# codec's.
ladder = [(192, 256), (144, 192), (96, 128)]
codec = dict(
    type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)

model = dict(
    type='RAFPoseEstimator',
    ladder=ladder,
    levels='one',
    upward=True,
    distill=None,
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        non_blocking=True),
    backbone=dict(
        type='RAFViT',
        arch='base',
        pos_embed='fourier',
        lpe=False,
        drop_path_rate=0.3),
    head=dict(
        type='AnyResolutionHeatmapHead',
        sigma_mode='relative',
        in_channels=768,
        out_channels=17,
        deconv_out_channels=(256, 256),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec),
    test_cfg=dict(
        flip_test=True,
        flip_mode='heatmap',
        shift_heatmap=False,
        # Inputs beyond the ladder are predicted at its ends. 'highest'
        # predicts all at the highest size, which costs more at low ones.
        fit_to_ladder='nearest'))
