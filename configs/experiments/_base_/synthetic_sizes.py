# Unseen, trained (64x48 to 128x96) and again unseen sizes, (w, h).
input_sizes = [(24, 32), (48, 64), (72, 96), (96, 128), (120, 160), (144, 192),
               (192, 256)]
