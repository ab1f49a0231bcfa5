# Ways of local training, from plain FedAvg to RAF. What a way does not name
# stays as in the config that is varied; all name the whole loss.
_pixel = dict(head=dict(sigma_mode='pixel'))
_relative = dict(head=dict(sigma_mode='relative'))
_uniform = dict(level_weights='uniform', levels='all')
_area = dict(level_weights='area', levels='all')


def _distill(**options):
    return dict(
        _delete_=True, type='MultiResolutionDistillLoss', **options)


trainings = dict(
    native_pixel=dict(model=dict(ladder=[], distill=None, **_pixel)),
    native=dict(model=dict(ladder=[], distill=None, **_relative)),
    ladder=dict(model=dict(distill=None, **_uniform, **_relative)))
