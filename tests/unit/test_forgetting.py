"""What is looked for in records that are no events, to forget a player."""

import itertools
import json

from jobs.lake.forgetting import naming

RECORD = {"event_type": "player_created", "username": 'é "b"', "external_id": "x-1"}


def test_a_record_that_names_the_player_is_found_with_spaces_or_without_in_utf_8_or_as_ascii() -> None:
    for name in ("username", "external_id"):
        for separators, ascii_only in itertools.product(((",", ":"), (", ", ": ")), (True, False)):
            record = json.dumps(RECORD, separators=separators, ensure_ascii=ascii_only)
            assert any(text in record for text in naming([(name, RECORD[name])]))


def test_a_player_who_is_called_as_a_word_of_every_record_takes_no_others_bytes() -> None:
    record = json.dumps(RECORD)
    assert not any(text in record for text in naming([("username", "event_type"), ("external_id", "player_created")]))
