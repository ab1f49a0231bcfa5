"""The commands of ``mmpose-raf``.

Each is a module of this package with

- a docstring that says what it does, shown by ``--help``;
- ``add_arguments(parser)``;
- ``main(args)``, which may return an exit code, and raises
  :class:`~mmpose_raf.errors.ConfigError` for what a user has to mend.
"""

# Only the module of the command that is called is imported.
COMMANDS = {
    'train': 'train a pose estimator federatedly',
    'one-shot': 'train a pose estimator in one round',
    'experiments': 'run a set of experiments and report on it',
    'report': 'compare runs at many resolutions: tables and pictures',
    'tsne': 'show whether features cluster by resolution or by person',
    'time-to-accuracy': 'compare runs on the simulated clock',
    'export-client': 'write the model of one client',
    'export-onnx': 'write a trained model as an ONNX file',
    'demo': 'compare FedAvg and RAF on rendered people',
}
