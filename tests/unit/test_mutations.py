"""The mutation suite has not rotted: its faults still apply, and name tests that there are."""

import re
from pathlib import Path

import pytest

from app.store.functions import LIBRARY, NAME, with_values
from tests.conftest import Realm
from tests.mutations.faults import FAULTS, LUA, QUICKER, Fault

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@EACH
def test_a_fault_finds_its_text_exactly_once_and_changes_it(fault: Fault) -> None:
    for edit in (QUICKER, *fault.edits):
        assert (ROOT / edit.file).read_text().count(edit.old) == 1, edit
        assert edit.new != edit.old


@EACH
def test_a_fault_names_tests_that_there_are(fault: Fault) -> None:
    assert fault.tests
    for test in fault.tests:
        path, name = test.split("::")
        assert re.search(rf"^def {name.split('[')[0]}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_a_fault_in_lua_is_still_a_program(realm: Realm) -> None:
    for fault in FAULTS:
        source = LIBRARY
        for edit in fault.edits:
            if edit.file.startswith(LUA):
                assert source.count(with_values(edit.old)) == 1, edit.old
                source = source.replace(with_values(edit.old), with_values(edit.new))
        realm.redis.function_load(source.replace(NAME, "fault"), replace=True)
    realm.redis.function_delete("fault")


def test_names_of_faults_are_told_apart() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
