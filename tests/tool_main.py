"""Calls a command in this process."""

from mmpose_raf.__main__ import main


def tool_main(name, monkeypatch, *arguments):
    """Call ``mmpose-raf NAME`` on the CPU; return its exit code."""
    monkeypatch.setattr('mmengine.runner.runner.get_device', lambda: 'cpu')
    return main([name, *map(str, arguments)])
