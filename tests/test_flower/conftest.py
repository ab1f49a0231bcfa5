"""Without Flower there is nothing to test here."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec('flwr') else ['test_*.py']
