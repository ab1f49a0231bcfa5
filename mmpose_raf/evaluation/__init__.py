"""What is computed over many resolutions."""

from .backdoor_success import BackdoorSuccess
from .drift_gallery import DriftGallery, GalleryView
from .drift_result import ClientResult, DriftResult, ViewResult
from .drift_summary import pick_metric, rule_of, summarise_drift
from .view import View, list_views

__all__ = [
    'BackdoorSuccess', 'ClientResult', 'DriftGallery', 'DriftResult',
    'GalleryView', 'View', 'ViewResult', 'list_views', 'pick_metric', 'rule_of', 'summarise_drift'
]
