"""Shared by all tests."""

import mmpose_raf  # noqa: F401  closes gaps before any test imports mmpose
