"""Marks hook implementations and specifications."""

import pluggy

PROJECT_NAME = "sep"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
