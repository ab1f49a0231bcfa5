# Who trains at which size (w, h): alone on all data (central) or in a
# federation of three. Partition, rounds and images are the same.
_base_ = ['synthetic_sizes.py']

sizes = dict(h=(96, 128), m=(72, 96), l=(48, 64))
federations = {
    name: {
        'federation.clients': [
            dict(name=f'client{number}', input_size=size)
            for number, size in enumerate(clients, start=1)
        ]
    }
    for name, clients in dict(
        central_h=[sizes['h']],
        central_m=[sizes['m']],
        central_l=[sizes['l']],
        central_mixed=[list(sizes.values())],
        hhh=[sizes['h']] * 3,
        mmm=[sizes['m']] * 3,
        lll=[sizes['l']] * 3,
        hml=list(sizes.values())).items()
}
