"""Writes the description of the interface: `python -m sep_core.api > docs/openapi.json`."""

import sys

from sep_core.api import openapi_document

sys.stdout.buffer.write(openapi_document())
