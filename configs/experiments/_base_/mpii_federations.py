# Who trains at which size (w, h): alone on all data (central) or in a
# federation of three; 12,000 persons in either case, as in the paper.
sizes = dict(h=(192, 256), m=(144, 192), l=(96, 128))
federations = {
    name: {
        'federation.clients': [
            dict(name=f'client{number}', input_size=size)
            for number, size in enumerate(clients, start=1)
        ],
        'federation.partitioner.samples_per_client': 12000 // len(clients)
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
# The sizes of the paper's figures.
input_sizes = [(48, 64), (96, 128), (144, 192), (192, 256), (240, 320),
               (288, 384), (384, 512)]
