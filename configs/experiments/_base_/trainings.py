# Position encodings and ways of local training. Each sets all fields that they
# differ in, so that none depends on the configs' default. Fields are replaced,
# not merged. Sigma 'pixel' is the same in every heatmap,
# 'relative' the same in the image.
encodings = dict(
    ape={
        'model.backbone.pos_embed': 'ape',
        'model.backbone.lpe': False
    },
    gpe={
        'model.backbone.pos_embed': 'gpe',
        'model.backbone.lpe': False
    },
    gpe_lpe={
        'model.backbone.pos_embed': 'gpe',
        'model.backbone.lpe': True
    })
# Not the paper's.
fourier = {'model.backbone.pos_embed': 'fourier', 'model.backbone.lpe': False}
# Inputs beyond the ladder are predicted at its ends.
fitted = {'model.test_cfg.fit_to_ladder': 'nearest'}
_native = {
    'model.ladder': [],
    'model.distill': None,
    'model.levels': 'all',
    'model.upward': False,
    'model.test_cfg.fit_to_ladder': None
}
_all_levels = {
    'model.levels': 'all',
    'model.upward': False,
    'model.test_cfg.fit_to_ladder': None
}
_one_level = {
    'model.distill': None,
    'model.levels': 'one',
    'model.head.sigma_mode': 'relative'
}
trainings = dict(
    # The native size alone: what a plain federation does.
    fedavg_pixel={
        **_native, 'model.head.sigma_mode': 'pixel'
    },
    fedavg={
        **_native, 'model.head.sigma_mode': 'relative'
    },
    # One level of the ladder for each batch, drawn by its area.
    one={
        **_one_level, 'model.level_weights': 'area',
        'model.upward': False,
        'model.test_cfg.fit_to_ladder': None
    },
    # One level of all, on the enlarged image those above the native size: in
    # the mean the tokens of fedavg, if clients of all levels hold equally
    # many persons.
    one_upward={
        **_one_level, 'model.level_weights': 'uniform',
        'model.upward': True,
        'model.test_cfg.fit_to_ladder': None
    },
    # The same, low levels more often, so that each gets the same computation.
    # A batch costs 0.73: 1.36 times the rounds cost what FedAvg's do.
    low_often={
        **_one_level, 'model.level_weights': 'inverse_area',
        'model.upward': True,
        'model.test_cfg.fit_to_ladder': None
    },
    # As one_upward for a sample: each batch is shared out among all levels.
    split={
        'model.distill': None,
        'model.levels': 'split',
        'model.head.sigma_mode': 'relative',
        'model.level_weights': 'uniform',
        'model.upward': True,
        'model.test_cfg.fit_to_ladder': None
    },
    # The ladder without distillation: multi-resolution augmentation.
    ladder={
        **_all_levels, 'model.distill': None,
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'relative'
    },
    ladder_pixel={
        **_all_levels, 'model.distill': None,
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'pixel'
    },
    ladder_area={
        **_all_levels, 'model.distill': None,
        'model.level_weights': 'area',
        'model.head.sigma_mode': 'relative'
    },
    # Levels weighted by their area, a little distillation, from the highest.
    distilled={
        **_all_levels, 'model.distill':
        dict(
            type='MultiResolutionDistillLoss',
            alpha=0.3,
            teacher='highest',
            resize='bilinear'),
        'model.level_weights':
        'area',
        'model.head.sigma_mode':
        'relative'
    },
    # All levels of the ladder, on the enlarged image those above the native
    # size. Three times the cost of fedavg.
    upward={
        'model.distill': None,
        'model.levels': 'all',
        'model.level_weights': 'area',
        'model.upward': True,
        'model.head.sigma_mode': 'relative',
        'model.test_cfg.fit_to_ladder': None
    },
    # RAF as published.
    paper={
        **_all_levels, 'model.distill': dict(
            type='MultiResolutionDistillLoss'),
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'pixel'
    })
