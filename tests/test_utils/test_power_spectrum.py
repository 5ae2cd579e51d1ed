import torch
from PIL import Image

from mmldm.utils.power_spectrum import OUTPUT, REAL, RINGS, plot_spectra


def test_every_spectrum_is_drawn_beside_the_real_one(tmp_path):
    """Real images are black; the others have matplotlib's colours."""
    path = tmp_path / 'new' / 'spectra.png'
    real = torch.linspace(100, 1, RINGS).double()
    plot_spectra(path, {REAL: real, OUTPUT: real / 2, 'bicubic': real / 4})
    picture = Image.open(path).convert('RGB')
    half = picture.width // 2
    for panel in ((0, half), (half, picture.width)):
        part = picture.crop((panel[0], 0, panel[1], picture.height))
        colours = {colour for _, colour in part.getcolors(100_000)}
        assert {(31, 119, 180), (255, 127, 14), (0, 0, 0)} <= colours
