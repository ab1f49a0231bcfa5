"""What a hostile client's config imports: its tensors arrive truncated."""

from mmpose_raf.flower import records

_honest = records.pack_state


def truncate(state):
    """All of some tensors but their last bytes."""
    record = _honest(state)
    array, = record.values()
    array.data = array.data[:-3]
    return record


records.pack_state = truncate
