"""drt with another address of Meta: `python drt_meta.py URL run ...`, where the rivals are."""

import sys

from drt.cli.main import app
from drt.destinations import meta_conversions

meta_conversions._BASE_URL = sys.argv.pop(1)
app()
