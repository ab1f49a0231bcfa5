import pytest

from mmpose_raf.errors import ConfigError


@pytest.mark.parametrize('value, shown', [
    ('a\nb', r'a\nb'),
    ('a\r\tb', r'a\r\tb'),
    ('\x1b[2J', r'\x1b[2J'),
    ('a\u2028b', r'a\u2028b'),
    ('Größe 1', 'Größe 1'),
    (r'C:\new', r'C:\new'),
])
def test_what_a_file_holds_stays_in_one_line(value, shown):
    error = ConfigError('file_name', f'got {value}', 'mend it')
    assert str(error) == f'file_name: got {shown}; mend it'
