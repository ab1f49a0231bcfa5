# The paper's matrix: encodings x ways of local training x federations, with
# ViT-S on MPII. 72 runs of GPU days together; pick some with --only.
_base_ = ['_base_/trainings.py', '_base_/mpii_federations.py']

base = '../raf_vitpose_s_mpii.py'
axes = dict(
    encoding={{_base_.encodings}},
    training=dict(
        single={{_base_.trainings.fedavg_pixel}},
        multi={{_base_.trainings.ladder_pixel}},
        raf={{_base_.trainings.paper}}),
    federation={{_base_.federations}})
