"""The command line: what it refuses, and how."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import mmpose
import pytest
import torch

from tests.processes import environment
from tests.shared_data import shared_data
from tests.test_tools.small_coco import write_config, write_data
from tests.tool_main import tool_main
from tests.toy import assert_states_equal

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / 'tools/fed_train.py'
STOCK = Path(mmpose.__path__[0]) / '.mim/tools'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Data and a config; the current folder and the launcher's variable."""
    write_data(tmp_path / 'data')
    write_config(tmp_path / 'config.py', tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    # The command sets it for good.
    monkeypatch.setenv('LOCAL_RANK', '0')
    return tmp_path


def main(monkeypatch, *arguments):
    """Call the tool's main(); return its exit code."""
    return tool_main('train', monkeypatch, *arguments)


def tree(folder):
    """All files with their contents."""
    return {
        path.relative_to(folder): path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob('*'))
    }


def assert_refused(monkeypatch, capfd, folder, field, fragment, *arguments):
    """It says what is wrong in one line, and leaves nothing behind."""
    before = tree(folder)
    code = main(monkeypatch, *arguments)
    stderr = capfd.readouterr().err
    assert code == 2
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith(f'error: {field}: ')
    assert fragment in lines[0]
    assert tree(folder) == before


# Python code at the end of the config, the field at fault, what is told.
ERRORS = {
    'annotations': ("train_data['ann_file'] = 'other.json'",
                    'train_dataloader.dataset.ann_file', 'other.json'),
    'annotations of validation':
    ("val_data['ann_file'] = 'other.json'", 'val_dataloader.dataset.ann_file',
     'other.json'),
    'image folder': ("train_data['data_prefix'] = dict(img='pictures/')",
                     'train_dataloader.dataset.data_prefix.img', 'pictures/'),
    'data root': ("train_data['data_root'] = 'nowhere'",
                  'train_dataloader.dataset.ann_file', 'nowhere'),
    'boxes of a detector': ("val_data['bbox_file'] = 'boxes.json'",
                            'val_dataloader.dataset.bbox_file', 'boxes.json'),
    'head boxes': ("val_data['headbox_file'] = 'gt.mat'",
                   'val_dataloader.dataset.headbox_file', 'gt.mat'),
    'part of a combined dataset':
    ("train_dataloader['dataset'] = dict(type='CombinedDataset', datasets=["
     "train_data, dict(train_data, ann_file='b.json')])",
     'train_dataloader.dataset.datasets[1].ann_file', 'b.json'),
    'dataset of a client':
    ("hook['clients'] = [dict(client, dataset=dict(type='CocoDataset', "
     "ann_file='c.json')) for client in hook['clients']]",
     'federation.clients[0].dataset.ann_file', 'c.json'),
    'no hooks': ('custom_hooks = None', 'custom_hooks', 'no FederatedHook'),
    'no federation': ("custom_hooks = [dict(type='SyncBuffersHook')]",
                      'custom_hooks', "dict(type='FederatedHook', clients="),
    'two federations': ('custom_hooks = custom_hooks * 2', 'custom_hooks',
                        '2 FederatedHooks'),
    'hook without a type': ("hook.pop('type')", 'custom_hooks',
                            'no FederatedHook'),
    'no clients': ("hook['clients'] = []", 'federation.clients',
                   'at least one'),
    'clients left out': ("hook.pop('clients')", 'federation.clients', 'list'),
    'typo in an argument': ("hook['local_epoch'] = 2",
                            'federation.local_epoch', 'local_epochs'),
    'typo in a client': ("hook['clients'][1]['size'] = 2",
                         'federation.clients[1].size', 'input_size'),
    'type of aggregator': ("hook['aggregator'] = dict(type='FedAverage')",
                           'federation.aggregator', 'FedAvg'),
    'argument of an aggregator':
    ("hook['aggregator'] = dict(type='FedAvg', weighting='size')",
     'federation.aggregator.weighting', "'size'"),
    'type of partitioner': ("hook['partitioner'] = dict(type='Random')",
                            'federation.partitioner', 'RandomPartitioner'),
    'argument of a partitioner':
    ("hook['partitioner'] = dict(type='RandomPartitioner', "
     'samples_per_client=0)', 'RandomPartitioner.samples_per_client', '0'),
    'no model': ('model = None', 'model', 'missing'),
    'no optimizer': ('optim_wrapper = None', 'optim_wrapper', 'missing'),
    'compile': ('compile = True', 'compile', 'model.torch_compile=True'),
    'no data': ('train_dataloader = None', 'train_dataloader', 'missing'),
    # Parts that do not fit together.
    'size of a client': ("hook['clients'][0]['input_size'] = (50, 64)",
                         'federation.clients[0].input_size', '64x50'),
    'size of a level': ("model['ladder'] = [(48, 64), (30, 40)]",
                        'input_size', '(30, 40)'),
    'more samples than there are':
    ("hook['partitioner'] = dict(type='RandomPartitioner', "
     'samples_per_client=1000)', 'RandomPartitioner.samples_per_client',
     '2000 samples'),
    'annotations of a metric': ("val_evaluator['ann_file'] = 'm.json'",
                                'val_evaluator.ann_file', 'm.json'),
    # What MMEngine would find late, or trip over.
    'typo in train_cfg': ("train_cfg['max_epoch'] = 1", 'train_cfg.max_epoch',
                          'no such argument; use max_epochs'),
    'iterations': ("train_cfg['by_epoch'] = False", 'train_cfg.by_epoch',
                   'one epoch is one round'),
    'pretrained weights':
    ("model['backbone']['init_cfg'] = dict(type='Pretrained', "
     "checkpoint='nowhere.pth')", 'model.backbone.init_cfg.checkpoint',
     'nowhere.pth'),
    'codec of another size':
    ("train_data['pipeline'].insert(-1, dict(type='GenerateTarget', "
     "encoder=dict(type='SimCCLabel', input_size=(64, 48))))", 'codec',
     'SimCCLabel'),
    'package of a type': ("model['backbone'] = dict(type='mmnobody.Net')",
                          'model.backbone.type', 'install mmnobody'),
    'no round': ("train_cfg['max_epochs'] = 0", 'train_cfg.max_epochs', '0'),
    'number of rounds': ("train_cfg['max_epochs'] = '3'",
                         'train_cfg.max_epochs', "'3'"),
    'interval': ("train_cfg['val_interval'] = 0", 'train_cfg.val_interval',
                 '0'),
    'empty batches': ("train_dataloader['batch_size'] = 0",
                      'train_dataloader.batch_size', '0'),
    'workers': ("val_dataloader['num_workers'] = -1",
                'val_dataloader.num_workers', '-1'),
    'sections': ("optim_wrapper = 'x'", 'optim_wrapper', "'x'"),
    'hooks': ("custom_hooks = 'x'", 'custom_hooks', "'x'"),
    'data': ("val_dataloader['dataset'] = 5", 'val_dataloader.dataset', '5'),
    'folder': ('work_dir = 5', 'work_dir', '5'),
    'first weights': ("load_from = 'w.pth'", 'load_from', 'w.pth'),
    'NaN': ("optim_wrapper['optimizer']['betas'] = (.9, float('nan'))",
            'optim_wrapper.optimizer.betas[1]', 'nan'),
    # Of parts in parts.
    'backbone': ("model['backbone']['depth'] = 3", 'model.backbone.depth',
                 'no such argument'),
    'type of head': ("model['head']['type'] = 'Head'", 'model.head.type',
                     'Head'),
    'value of head': ("model['head']['in_channels'] = 'x'",
                      'model.head.in_channels', "'x'"),
    'keypoints of head': ("model['head']['out_channels'] = 5",
                          'model.head.out_channels', '17'),
    'distillation': ("model['distill'] = dict(type='X')",
                     'model.distill.type', 'X'),
    'dataset': ("train_data['ann'] = 'a.json'", 'train_dataloader.dataset.ann',
                'no such argument'),
    'validation': ("val_data['pipeline'] = [dict(type='Load')]",
                   'val_dataloader.dataset.pipeline[0]', 'Load'),
    'optimizer': ("optim_wrapper['optimizer']['type'] = 'Adamm'",
                  'optim_wrapper.optimizer', 'Adamm'),
    'rate': ("optim_wrapper['optimizer']['lr'] = -1",
             'optim_wrapper.optimizer', 'learning rate'),
    'schedule': ("param_scheduler[0]['start'] = 0", 'param_scheduler[0].start',
                 'no such argument'),
    'metric': ("val_evaluator['type'] = 'Coco'", 'val_evaluator', 'Coco'),
    'argument of a metric': ("val_evaluator['mode'] = 3", 'val_evaluator.mode',
                             'no such argument'),
    'argument of a hook': ("default_hooks['logger']['every'] = 3",
                           'default_hooks.logger.every', 'no such argument'),
    # Mistakes in the file itself.
    'syntax': ('model = dict(', 'config', 'SyntaxError'),
    'exception': ('number = 1 / 0', 'config', 'ZeroDivisionError'),
    'missing base': ("_base_ = ['nobody.py']", 'config', 'nobody.py'),
    'missing import': ("custom_imports = dict(imports=['nobody'])", 'config',
                       'nobody'),
}


@pytest.mark.parametrize('name', ERRORS)
def test_errors_in_a_config_are_one_line(monkeypatch, capfd, folder, name):
    code, field, fragment = ERRORS[name]
    write_config(folder / 'config.py', folder / 'data', f'\n{code}\n')
    assert_refused(monkeypatch, capfd, folder, field, fragment, 'config.py')


@pytest.mark.parametrize('arguments, field, fragment', [
    (['other.py'], 'config', 'other.py'),
    (['config.py', '--resume'], '--resume', 'no checkpoint'),
    (['config.py', '--resume', 'epoch_1.pth'], '--resume', 'epoch_1.pth'),
    (['config.py', '--auto-scale-lr'], '--auto-scale-lr', 'auto_scale_lr'),
    (['config.py', '--cfg-options', 'custom_hooks.3.seed=1'
      ], '--cfg-options', '3'),
    (['config.py', '--cfg-options', 'randomness.seed=-1'
      ], 'randomness.seed', '-1'),
])
def test_errors_on_the_command_line_are_one_line(monkeypatch, capfd, folder,
                                                 arguments, field, fragment):
    assert_refused(monkeypatch, capfd, folder, field, fragment, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_mixed_precision_is_refused_without_a_gpu(monkeypatch, capfd, folder):
    assert_refused(monkeypatch, capfd, folder, '--amp', 'GPU', 'config.py',
                   '--amp')


def test_unknown_options_are_told_by_argparse(monkeypatch, capfd, folder):
    before = tree(folder)
    with pytest.raises(SystemExit) as exit_:
        main(monkeypatch, 'config.py', '--rounds', '3')
    assert exit_.value.code == 2
    assert '--rounds' in capfd.readouterr().err
    assert tree(folder) == before


# -- Runs --------------------------------------------------------------------


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The folder of a run of two rounds, made once."""
    folder = tmp_path_factory.mktemp('finished')
    write_data(folder / 'data')
    write_config(folder / 'config.py', folder / 'data')
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv('LOCAL_RANK', '0')
        assert main(monkeypatch, 'config.py', '--work-dir', 'run') == 0
    return folder


def test_a_run_leaves_its_checkpoints_and_its_config(finished):
    """Also with a config that does not name the package's import."""
    names = {path.name for path in (finished / 'run').iterdir()}
    assert {'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint',
            'config.py'} <= names
    saved = torch.load(finished / 'run/epoch_2.pth', weights_only=True)
    assert len(saved['federation']['clients']) == 2
    assert "imports=[\n" in (finished / 'run/config.py').read_text()
    assert 'mmpose_raf' in (finished / 'run/config.py').read_text()


def test_default_work_dir(monkeypatch, folder):
    """That of MMPose's train.py."""
    assert main(monkeypatch, 'config.py', '--cfg-options',
                'train_cfg.max_epochs=1') == 0
    assert (folder / 'work_dirs/config/epoch_1.pth').is_file()


def test_finished_work_dir(monkeypatch, capfd, folder, finished):
    monkeypatch.chdir(finished)
    assert_refused(monkeypatch, capfd, finished, 'work_dir',
                   'already holds a run', 'config.py', '--work-dir', 'run')


@pytest.mark.parametrize('more, field', [
    ("hook['clients'][1]['name'] = 'small'", 'federation.clients'),
    ("hook['clients'].pop()", 'federation.clients'),
    ("randomness = dict(seed=7)", 'federation.seed'),
    ("hook['partitioner'] = dict(type='NativeResolutionPartitioner')",
     'federation.partitioner'),
])
@pytest.mark.parametrize('how', ['auto', 'path'])
def test_resume_of_another_federation(monkeypatch, capfd, finished, more,
                                      field, how):
    write_config(finished / 'other.py', finished / 'data', f'\n{more}\n')
    monkeypatch.chdir(finished)
    path = ['run/epoch_1.pth'] if how == 'path' else []
    assert_refused(monkeypatch, capfd, finished, field, 'checkpoint',
                   'other.py', '--work-dir', 'run', '--resume', *path)


def test_resume_without_a_federation(monkeypatch, capfd, finished):
    torch.save(dict(state_dict={}), finished / 'weights.pth')
    monkeypatch.chdir(finished)
    assert_refused(monkeypatch, capfd, finished, 'resume', 'no federation',
                   'config.py', '--resume', 'weights.pth')


def test_resume_with_other_annotations(monkeypatch, capfd, folder, finished):
    write_data(folder / 'more', num_images=8)
    write_config(folder / 'config.py', folder / 'more')
    assert_refused(monkeypatch, capfd, folder, 'train_dataloader.dataset',
                   'its partition is not that of the checkpoint', 'config.py',
                   '--resume', finished / 'run/epoch_1.pth')


def command(*arguments, cwd):
    return subprocess.run([sys.executable, *map(str, arguments)],
                          capture_output=True,
                          text=True,
                          cwd=cwd,
                          env=environment())


@pytest.mark.slow
def test_refusal_of_a_process(folder):
    before = tree(folder)
    result = command(SCRIPT, 'config.py', '--resume', cwd=folder)
    assert result.returncode == 2
    assert result.stderr.startswith('error: --resume: ')
    assert result.stderr.count('\n') == 1
    assert tree(folder) == before


@pytest.mark.slow
def test_resume_after_an_interruption(folder, finished):
    """A process that dies in the second round, and the one after it."""
    write_config(
        folder / 'dying.py', folder / 'data',
        "\ncustom_imports = dict(imports=['mmpose_raf', 'tests.toy'])"
        "\ncustom_hooks.append(dict(type='Interrupt', round_=1))\n")
    options = ['--work-dir', 'run']
    result = command(SCRIPT, 'dying.py', *options, cwd=folder)
    assert result.returncode == 130
    assert result.stderr.endswith(
        'interrupted: continue with --resume --work-dir run\n')
    assert 'Traceback' not in result.stderr
    assert not (folder / 'run/epoch_2.pth').exists()

    result = command(SCRIPT, 'config.py', *options, '--resume', cwd=folder)
    assert result.returncode == 0, result.stderr
    expected = torch.load(finished / 'run/epoch_2.pth', weights_only=True)
    got = torch.load(folder / 'run/epoch_2.pth', weights_only=True)
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_states_equal(got[key], expected[key])
    assert_states_equal(got['federation']['clients'],
                        expected['federation']['clients'])


@pytest.mark.slow
def test_a_process_for_each_client(folder, finished):
    """As the README starts them, on a machine without a GPU."""
    result = command('-m',
                     'torch.distributed.run',
                     '--standalone',
                     '--nproc_per_node=2',
                     SCRIPT,
                     'config.py',
                     '--launcher=pytorch',
                     '--work-dir=run',
                     '--cfg-options',
                     'federation.execution.parallel=clients',
                     cwd=folder)
    assert result.returncode == 0, result.stderr[-3000:]
    assert 'Round [2/2], 2 of 2 clients:' in result.stdout
    expected = torch.load(finished / 'run/epoch_2.pth', weights_only=True)
    got = torch.load(folder / 'run/epoch_2.pth', weights_only=True)
    torch.testing.assert_close(dict(got['state_dict']),
                               dict(expected['state_dict']),
                               rtol=0,
                               atol=1e-6)


# The config of the repository with a smaller model and fewer faces.
FACES = '''
_base_ = [{base!r}]
small = dict(_delete_=True, embed_dims=32, num_layers=2, num_heads=2,
             feedforward_channels=64)
model = dict(
    backbone=dict(arch=small, init_cfg=None),
    head=dict(in_channels=32, deconv_out_channels=(16, 16)))
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root={data!r}, indices=60))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root={data!r}, indices=20))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=1)
default_hooks = dict(checkpoint=dict(save_best=None))
'''


@pytest.mark.slow
def test_with_the_stock_scripts(tmp_path):
    """The run's checkpoint in MMPose's test.py; the config in its train.py.
    """
    data = shared_data('faces68')
    (tmp_path / 'faces.py').write_text(
        FACES.format(base=str(ROOT / 'configs/raf_vit_faces68.py'),
                     data=f'{data}/'))
    result = command(SCRIPT, 'faces.py', '--work-dir', 'run', cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    log = result.stdout
    assert 'Round [2/2], 3 of 3 clients:' in log
    nme = log.split('Epoch(val) [2]')[-1].split('NME: ')[1].split()[0]

    result = command(STOCK / 'test.py',
                     'faces.py',
                     'run/epoch_2.pth',
                     '--work-dir',
                     'test',
                     cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.split('NME: ')[1].split()[0] == nme

    result = command(STOCK / 'train.py',
                     'faces.py',
                     '--work-dir',
                     'stock',
                     cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    runs = [
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=True)
        for name in ('run', 'stock')
    ]
    assert_states_equal(*(dict(run['state_dict']) for run in runs))


@pytest.mark.slow
def test_two_runs_in_one_work_dir(monkeypatch, capfd, folder):
    """The second is refused while the first trains."""
    first = subprocess.Popen(
        [sys.executable, SCRIPT, 'config.py', '--work-dir', 'run'],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment())
    while not (folder / 'run/.lock').is_file():
        assert first.poll() is None
        time.sleep(.05)
    code = main(monkeypatch, 'config.py', '--work-dir', 'run')
    assert first.poll() is None
    assert code == 2
    line, = capfd.readouterr().err.splitlines()
    assert line.startswith(f'error: work_dir: process {first.pid} on ')
    assert first.wait() == 0


def test_broken_annotations(monkeypatch, capfd, folder):
    path = folder / 'data/people.json'
    content = json.loads(path.read_text())
    content['annotations'][2]['keypoints'][4] = float('nan')
    path.write_text(json.dumps(content))
    assert_refused(monkeypatch, capfd, folder,
                   'train_dataloader.dataset.ann_file',
                   'annotation 3 of image 3', 'config.py')


def test_broken_image(monkeypatch, capfd, folder):
    (folder / 'data/images/2.png').write_bytes(b'no image')
    assert_refused(monkeypatch, capfd, folder,
                   'train_dataloader.dataset.ann_file', 'images/2.png',
                   'config.py', '--check-images')


@pytest.mark.parametrize('more, field', [
    ("model['backbone']['arch']['num_layers'] = 3",
     'model.backbone.arch.num_layers'),
    ("model['ladder'] = [(48, 64)]", 'model.ladder'),
    ("optim_wrapper['optimizer']['type'] = 'SGD'",
     'optim_wrapper.optimizer.type'),
    ("optim_wrapper['clip_grad'] = dict(max_norm=1)",
     'optim_wrapper.clip_grad'),
    ("train_dataloader['batch_size'] = 3", 'train_dataloader.batch_size'),
    ("hook['local_epochs'] = 2", 'federation.local_epochs'),
])
def test_resume_of_another_run(monkeypatch, capfd, finished, more, field):
    write_config(finished / 'other.py', finished / 'data', f'\n{more}\n')
    monkeypatch.chdir(finished)
    assert_refused(monkeypatch, capfd, finished, field,
                   'the checkpoint was made with', 'other.py', '--work-dir',
                   'run', '--resume')


def test_traceback(monkeypatch, capfd, folder):
    """On demand, with the constructor's own error."""
    write_config(folder / 'config.py', folder / 'data',
                 "\nmodel['backbone']['drop_path_rate'] = 2\n")
    assert main(monkeypatch, 'config.py', '--traceback') == 2
    errors = capfd.readouterr().err
    assert 'ValueError: drop_path_rate must lie in' in errors
    assert errors.splitlines()[-1].startswith('error: model.backbone.drop_')


def test_full_disk(monkeypatch, capfd, folder):
    """In the second round; the first one stays."""
    replace = os.replace

    def fill(source, target):
        if 'epoch_2' in str(target):
            raise OSError(errno.ENOSPC, 'No space left on device', str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr('mmpose_raf.atomic_file.os.replace', fill)
        assert main(monkeypatch, 'config.py', '--work-dir', 'run') == 1
    line, = capfd.readouterr().err.splitlines()
    assert 'No space left on device' in line and '--resume' in line
    assert main(monkeypatch, 'config.py', '--work-dir', 'run',
                '--resume') == 0


@pytest.mark.skipif(os.getuid() == 0, reason='root may write everywhere')
def test_read_only_work_dir(monkeypatch, capfd, folder):
    (folder / 'run').mkdir(mode=0o500)
    assert_refused(monkeypatch, capfd, folder, 'work_dir', 'Permission',
                   'config.py', '--work-dir', 'run')


def test_work_dir_that_is_a_file(monkeypatch, capfd, folder):
    (folder / 'run').write_text('')
    assert_refused(monkeypatch, capfd, folder, 'work_dir', 'run', 'config.py',
                   '--work-dir', 'run')
