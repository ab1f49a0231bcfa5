# Position encodings of RAFViT. Fields are replaced, not merged.
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
