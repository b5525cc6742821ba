"""A record of a study that costs nothing, made once."""

import json

import pytest
from studies_made_up import TEXTS, design, run

from studies import protocol, record


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """The record of the made-up study, as JSON gives it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "KEPT", tmp_path_factory.mktemp("kept"))
        patch.setattr(record, "FOLDER", tmp_path_factory.mktemp("chapters"))
        return json.loads(protocol.conduct(design(), run, lambda: TEXTS, processes=0).read_text("utf-8"))
