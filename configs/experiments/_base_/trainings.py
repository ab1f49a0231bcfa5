# Ways of local training, from plain FedAvg to RAF. Fields are replaced, not
# merged. Sigma 'pixel' is the same in every heatmap, 'relative' the same in
# the image.
trainings = dict(
    # The native size alone: what a plain federation does.
    fedavg_pixel={
        'model.ladder': [],
        'model.distill': None,
        'model.head.sigma_mode': 'pixel'
    },
    fedavg={
        'model.ladder': [],
        'model.distill': None,
        'model.head.sigma_mode': 'relative'
    },
    # The ladder without distillation: multi-resolution augmentation.
    ladder={
        'model.distill': None,
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'relative'
    },
    ladder_pixel={
        'model.distill': None,
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'pixel'
    },
    ladder_area={
        'model.distill': None,
        'model.level_weights': 'area',
        'model.head.sigma_mode': 'relative'
    },
    # What was better than fedavg at every size, at equal rounds: levels weighted
    # by their area, a little distillation, from the highest level.
    raf={
        'model.distill':
        dict(
            type='MultiResolutionDistillLoss',
            alpha=0.3,
            teacher='highest',
            resize='bilinear'),
        'model.level_weights': 'area',
        'model.head.sigma_mode': 'relative'
    },
    # All levels of the ladder, on the enlarged image those above the native
    # size. Three times the cost of fedavg.
    upward={
        'model.distill': None,
        'model.level_weights': 'area',
        'model.upward': True,
        'model.head.sigma_mode': 'relative'
    },
    # RAF as published.
    paper={
        'model.distill': dict(type='MultiResolutionDistillLoss'),
        'model.level_weights': 'uniform',
        'model.head.sigma_mode': 'pixel'
    })
