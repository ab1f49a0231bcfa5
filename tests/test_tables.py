from mmpose_raf.tables import render_table


def test_table_aligns_names_left_and_numbers_right():
    assert render_table(('client', 'samples'),
                        [('high', '7'), ('[low]', '1200')]) == '\n'.join([
                            '+------------------+',
                            '| client | samples |',
                            '|--------+---------|',
                            '| high   |       7 |',
                            '| [low]  |    1200 |',
                            '+------------------+',
                        ])
