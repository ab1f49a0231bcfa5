"""Rendered people: pose, figure and picture.

:mod:`.poses` chooses joint angles, :mod:`.skeleton` makes joints of them,
:mod:`.parts` clothes the joints with body parts, :mod:`.figure` places the
person in the image and has :mod:`.visibility` find what can be seen of it.
:mod:`.rendering` takes the picture, in the colours of :mod:`.looks` and with
the brushes of :mod:`.painting`.
"""
