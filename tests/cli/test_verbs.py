"""Every verb that the command names has a module that can answer."""

import pytest

from mrnet_core.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_the_list_explains_itself(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    assert "usage" in capsys.readouterr().out
