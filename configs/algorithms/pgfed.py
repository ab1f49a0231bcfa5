# PGFedMo: each client's objective holds the others' risks to first order, with
# coefficients that it learns. momentum=0 is PGFed.
_base_ = '../raf_demo.py'

federation = dict(
    local_objective=dict(
        type='PGFed', mu=0.1, coefficient_lr=0.01, momentum=0.5))
