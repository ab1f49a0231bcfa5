"""How libraries name the weights of a ViT, and how RAFViT names them.

RAFViT has the names of mmpretrain. Two parts have names of their own until
:mod:`.vit_weights` has dissolved them: ``attn.query``, ``attn.key`` and
``attn.value``, and the vectors of layer scale, ``scale1`` after attention and
``scale2`` after the MLP.
"""

import re
from typing import Iterable, List, NamedTuple, Optional, Tuple

Rules = Tuple[Tuple[str, str], ...]


class Naming(NamedTuple):
    """Names of one library.

    ``first_norm`` is a pattern of the first norm of the first block, by which
    the library is recognised. ``rules`` are patterns and their replacements,
    applied one after the other.
    """
    library: str
    first_norm: str
    rules: Rules


class Place(NamedTuple):
    """Where a file holds a ViT: its naming, and what precedes the names."""
    naming: Naming
    prefix: str

    @property
    def root(self) -> str:
        """str: What precedes the names of the whole model: no ``vit.``."""
        return re.sub(r'[^.]+\.$', '', self.prefix)


NAMINGS = (
    Naming('mmpretrain', r'layers\.0\.ln1\.weight', (
        (r'\.attn\.gamma1\.weight$', '.scale1'),
        (r'\.ffn\.gamma2\.weight$', '.scale2'),
    )),
    # timm, and what goes back to it: the releases of MAE (He et al., arXiv
    # 2111.06377), DINO, DINOv2 and the first ones of ViTPose (last_norm).
    Naming('timm', r'blocks\.0\.norm1\.weight', (
        (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
        (r'^blocks\.', 'layers.'),
        (r'\.norm([12])\.', r'.ln\1.'),
        (r'\.mlp\.fc1\.', '.ffn.layers.0.0.'),
        (r'\.mlp\.fc2\.', '.ffn.layers.1.'),
        (r'\.ls([12])\.gamma$', r'.scale\1'),
        (r'^(last_)?norm\.', 'ln1.'),
    )),
    # Hugging Face transformers, whose files and later versions differ.
    Naming(
        'transformers', r'(?:encoder\.layer|layers)\.0\.'
        r'(?:layernorm_before|norm1)\.weight', (
            (r'^embeddings\.patch_embeddings\.', 'patch_embed.'),
            (r'^embeddings\.position_embeddings$', 'pos_embed'),
            (r'^embeddings\.', ''),
            (r'^encoder\.layer\.', 'layers.'),
            (r'\.(layernorm_before|norm1)\.', '.ln1.'),
            (r'\.(layernorm_after|norm2)\.', '.ln2.'),
            (r'\.attention\.(attention\.query|q_proj)\.', '.attn.query.'),
            (r'\.attention\.(attention\.key|k_proj)\.', '.attn.key.'),
            (r'\.attention\.(attention\.value|v_proj)\.', '.attn.value.'),
            (r'\.attention\.(output\.dense|o_proj)\.', '.attn.proj.'),
            (r'\.(intermediate\.dense|mlp\.fc1)\.', '.ffn.layers.0.0.'),
            (r'\.(output\.dense|mlp\.fc2)\.', '.ffn.layers.1.'),
            (r'\.layer_scale([12])\.lambda1$', r'.scale\1'),
            (r'^layernorm\.', 'ln1.'),
        )),
)

# A head of MMPose before 1.0 or of transformers' ViTPose -> HeatmapHead's.
HEAD_RULES = (
    (r'^keypoint_head\.', 'head.'),
    (r'^head\.deconv1\.', 'head.deconv_layers.0.'),
    (r'^head\.batchnorm1\.', 'head.deconv_layers.1.'),
    (r'^head\.deconv2\.', 'head.deconv_layers.3.'),
    (r'^head\.batchnorm2\.', 'head.deconv_layers.4.'),
    (r'^head\.conv\.', 'head.final_layer.'),
)

# Parts of other ViTs without which their weights are of no use.
FOREIGN_PARTS = (
    (r'(register_tokens|reg_token)$', 'register tokens'),
    (r'(dist_token|distillation_token)$', 'a distillation token'),
    (r'\.mlp\.(w12|w3|weights_in|gate_proj|fc1_g)\.', 'a gated MLP (SwiGLU)'),
    (r'\.mlp\.experts\.', 'experts (ViTPose+)'),
    (r'^(norm_pre|pre_norm|pre_layrnorm)\.', 'a norm before the first block'),
    (r'\.[qk]_norm\.', 'norms of queries and keys'),
    (r'rel_pos|relative_position', 'relative positions'),
)


def find_vit(names: Iterable[str]) -> Optional[Place]:
    """Find a ViT among the names of a file.

    Of several (a model and its moving average) the one called ``backbone``
    is taken, else the one nearest to the root.
    """
    names = list(names)
    places: List[Place] = []
    for naming in NAMINGS:
        pattern = re.compile(rf'((?:.*\.)?){naming.first_norm}')
        matches = filter(None, map(pattern.fullmatch, names))
        places += [Place(naming, match[1]) for match in matches]
    if not places:
        return None
    return min(
        places,
        key=lambda place:
        (not f'.{place.prefix}'.endswith('.backbone.'), len(place.prefix)))


def rename(name: str, rules: Rules) -> str:
    """Apply rules to a name, one after the other."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def find_foreign_part(names: Iterable[str]) -> Optional[str]:
    """What a ViT of these names (without prefix) has and RAFViT lacks."""
    for name in names:
        for pattern, part in FOREIGN_PARTS:
            if re.search(pattern, name):
                return f'{part}, e.g. {name}'
    return None
