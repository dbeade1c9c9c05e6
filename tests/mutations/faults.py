"""The faults: each breaks one promise of the engine, and the tests named with it must notice.

A fault is a few edits of the source. The old text of each stands in its file exactly once; a unit test checks that, so
that a fault whose code has moved is seen at once.
"""

from typing import Final, NamedTuple

LUA: Final = "app/store/lua"
FUNCTIONS: Final = "app/store/functions.py"
CLIENT: Final = "app/store/client.py"
OUTBOX: Final = "app/store/outbox.py"
GROUP: Final = "app/store/group_commit.py"
BATCH: Final = "app/store/batches.py"
GUARD: Final = "app/http/guard.py"
ROUTES: Final = "app/http/routes.py"
REQUESTS: Final = "app/http/requests.py"
RESPONSES: Final = "app/http/responses.py"
METRICS: Final = "app/http/metrics.py"
GUNICORN: Final = "app/http/gunicorn.py"
OPERATIONS: Final = "app/http/operations.py"
TOPIC: Final = "app/relay/topic.py"
LOOP: Final = "app/relay/loop.py"

_TESTS: Final = "tests/integration"
_EXPLOITS: Final = f"{_TESTS}/test_exploits.py::test_"
_RULES: Final = f"{_TESTS}/test_rules.py::test_"
_OFFERS: Final = f"{_TESTS}/test_offers.py::test_"
_BATCHES: Final = f"{_TESTS}/test_batches.py::test_"
_ACCESS: Final = f"{_TESTS}/test_access.py::test_"
_SLOW: Final = f"{_TESTS}/test_slow_callers.py::test_"
_HTTP: Final = f"{_TESTS}/test_http.py::test_"
_CONCURRENCY: Final = f"{_TESTS}/test_concurrency.py::test_"
_LOSSY: Final = f"{_TESTS}/test_lossy_network.py::test_"
_TROUBLE: Final = f"{_TESTS}/test_redis_trouble.py::test_"
_RELAY: Final = "tests/unit/test_relay.py::test_"
_RELAYED: Final = f"{_TESTS}/test_relay.py::test_"
_RETENTION: Final = f"{_TESTS}/test_retention.py::test_"
_CATALOG: Final = f"{_TESTS}/test_catalog.py::test_"
_ADJUST: Final = f"{_TESTS}/test_adjustments.py::test_"
_ACCOUNTS: Final = f"{_TESTS}/test_accounts.py::test_"
_FORGOTTEN: Final = f"{_ACCOUNTS}nothing_in_redis_names_a_player_that_was_forgotten"
_DETECTION: Final = "tests/unit/test_detection.py::test_"
_JUDGED: Final = "tests/unit/test_evaluation.py::test_"
_CHEATS: Final = "jobs/economy/detection"
_GROUPS: Final = "tests/unit/test_group_commit.py::test_"
_SEEDS: Final = f"{_TESTS}/test_fuzz_corpus.py::test_each_seed_is_answered_as_described"
_REFUSED: Final = f"{_EXPLOITS}a_trade_against_the_rules_is_refused_with_its_reason_and_moves_nothing"
_REPLAYED: Final = f"{_EXPLOITS}a_replayed_request_has_one_effect_and_the_stored_answer"
_HISTORY: Final = f"{_CONCURRENCY}64_callers_on_10_players_see_a_linearizable_history"


_KEEPING: Final = "    redis.call('HSET', newest_shard(realm, digest), digest, realm.records[place])\n"


class Edit(NamedTuple):
    """Replaces `old`, which stands in the file once."""

    file: str
    old: str
    new: str


class Fault(NamedTuple):
    """What is broken, how, and the tests of which one must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def _lua(name: str, file: str, old: str, new: str, *tests: str) -> Fault:
    """A fault of one edit in one of the files of the Lua library."""
    return Fault(name, (Edit(f"{LUA}/{file}.lua", old, new),), tests)


_SPLIT: Final = (
    Edit(
        f"{LUA}/events.lua",
        """\
  redis.call('XADD', realm.keys[OUTBOX_KEY], integer_text(realm.sequence) .. '-0', 'occurred_at', realm.occurred_at,
    'events', packed_list(realm.bodies))
""",
        """  redis.call('SET', realm.keys[OUTBOX_KEY] .. ':due', cmsgpack.pack({integer_text(realm.sequence) .. '-0',
    realm.occurred_at, packed_list(realm.bodies)}))
""",
    ),
    Edit(
        f"{LUA}/library.lua",
        "redis.register_function(PREFIX .. 'trades', trades)\n",
        """redis.register_function(PREFIX .. 'trades', trades)
redis.register_function(PREFIX .. 'publish', function(keys)
  local due = redis.call('GETDEL', keys[OUTBOX_KEY] .. ':due')
  local entry = due and cmsgpack.unpack(due)
  if entry then redis.call('XADD', keys[OUTBOX_KEY], entry[1], 'occurred_at', entry[2], 'events', entry[3]) end
  return {'published'}
end)
""",
    ),
    Edit(
        FUNCTIONS,
        "        reply: list[Any] = self.call(function, *arguments)\n",
        '        reply: list[Any] = self.call(function, *arguments)\n        self.call("publish")\n',
    ),
)

FAULTS: Final = (
    # ------------------------------------------------------------ atomicity and events
    Fault("the function is split in two: first state and answer, then the event", _SPLIT, (
        f"{_LOSSY}the_engine_answers_in_time_and_truly_through_a_lossy_connection_to_redis_and_recovers",
    )),
    Fault("the function is split in two, as concurrent callers see it", _SPLIT, (_HISTORY,)),
    _lua("a rejection emits no event",
         "trades", "  emit(realm, body)\n  local answer = make_answer",
         "  if not reason then emit(realm, body) end\n  local answer = make_answer",
         _REFUSED),
    _lua("the end of an offer emits no event",
         "offers", "  emit(realm, exchange_body('offer_closed'",
         "  local _ = (exchange_body('offer_closed'",
         f"{_OFFERS}declining_and_cancelling_free_exactly_what_was_held"),
    _lua("the version is not raised",
         "players", "player[VERSION] = player[VERSION] + 1", "player[VERSION] = player[VERSION]",
         f"{_EXPLOITS}a_stale_version_is_refused_on_v1", _RULES + "random_programs_end_like_the_model"),
    _lua("a sequence number is left out now and then",
         "events", "  realm.sequence = realm.sequence + 1\n",
         "  realm.sequence = realm.sequence + (realm.sequence % 50 == 49 and 2 or 1)\n",
         _HISTORY),
    # ------------------------------------------------------------ the rules
    _lua("items are not checked against what the giver holds",
         "rules", "if free < line[QUANTITY] then return true end",
         "if free < line[QUANTITY] then return false end", _REFUSED),
    _lua("gold is not checked against what the giver holds",
         "rules", "  return player[GOLD] - player[HELD_GOLD] < side.gold", "  return false", _REFUSED),
    _lua("gold is rounded to tens",
         "trades", "  player[GOLD] = player[GOLD] - side.gold + other.gold\n",
         "  player[GOLD] = math.floor((player[GOLD] - side.gold + other.gold) / 10) * 10\n",
         f"{_RULES}random_programs_end_like_the_model"),
    _lua("gold passes through single precision",
         "trades", "  player[GOLD] = player[GOLD] - side.gold + other.gold\n",
         "  player[GOLD] = struct.unpack('f', struct.pack('f', player[GOLD] - side.gold + other.gold))\n",
         f"{_EXPLOITS}gold_cannot_overflow_2_to_the_53"),
    _lua("balances may exceed 2^53-1",
         "rules", "  return player[GOLD] - side.gold + other.gold > MAX_AMOUNT", "  return false",
         f"{_EXPLOITS}gold_cannot_overflow_2_to_the_53"),
    _lua("capacity is not checked",
         "rules", "  return player[UNITS] - side.units + other.units > player[CAPACITY]", "  return false", _REFUSED),
    _lua("a player may trade with itself",
         "rules", "  if one.player_id == two.player_id then return 'same_player' end\n", "", _REFUSED),
    _lua("a stale version is accepted",
         "rules", "  return (side.seen_version and side.seen_version ~= player[VERSION])", "  return false",
         f"{_EXPLOITS}a_stale_version_is_refused_on_v1"),
    _lua("a forged state is accepted",
         "rules", "    or (side.seen_state and side.seen_state ~= seen_state_text(realm, player))", "    or false",
         f"{_EXPLOITS}a_forged_state_is_refused_as_stale"),
    _lua("an item that goes both ways is counted once too often",
         "trades",
         "  for _, line in ipairs(side.lines) do add_units(player, line[ITEM_ID], -line[QUANTITY], touched) end\n",
         "  for _, line in ipairs(side.lines) do\n"
         "    if not touched[line[ITEM_ID]] then add_units(player, line[ITEM_ID], -line[QUANTITY], touched) end\n"
         "  end\n",
         _SEEDS),
    # ------------------------------------------------------------ idempotency
    _lua("records of decisions are not kept",
         "decisions",
         _KEEPING,
         "",
         _REPLAYED),
    _lua("records of decisions are not kept, as callers behind a lossy network see it",
         "decisions",
         _KEEPING,
         "",
         f"{_LOSSY}each_command_has_one_effect_through_a_network_that_drops_delays_doubles_and_cuts"),
    _lua("a repeat with other content gets the stored answer",
         "trades", "  if record.fingerprint ~= trade[TRADE_FINGERPRINT] then return {'mismatch', 0, ''} end\n", "",
         f"{_EXPLOITS}a_repeat_with_other_content_is_a_422"),
    _lua("a repeated offer is made again",
         "offers",
         "    return {'replayed', record.reason or ''", "    local _ = {'replayed', record.reason or ''",
         f"{_OFFERS}a_repeated_offer_has_one_effect_and_other_content_is_a_422"),
    Fault("realms share what was decided",
          (Edit(f"{LUA}/decisions.lua",
                "  return realm.keys[DECIDED_PREFIX] .. generation[NUMBER]",
                "  return 'decided:' .. generation[NUMBER]"),
           Edit(f"{LUA}/decisions.lua", "(one * retained.factor_1 + two * retained.factor_2) / 65536",
                "(one + two) / 65536")),
          (f"{_RULES}realms_do_not_share_idempotency_keys",)),
    # ------------------------------------------------------------ memory
    _lua("records that are still to be moved are not looked for",
         "decisions", "  while not found and place > 0 do\n", "  while not found and place == #generations do\n",
         f"{_RETENTION}a_name_has_one_effect_while_its_record_waits_to_be_moved_and_after"),
    _lua("records are lost when they are moved",
         "decisions", "    if stored then redis.call('HSET', shard_key(realm, newest,",
         "    if false then redis.call('HSET', shard_key(realm, newest,",
         f"{_RETENTION}a_name_has_one_effect_while_its_record_waits_to_be_moved_and_after"),
    _lua("records are forgotten an hour early",
         "decisions", "(realm.seconds - keep_s) * 1e6\n  local oldest",
         "(realm.seconds - keep_s + 7200) * 1e6\n  local oldest",
         f"{_RETENTION}no_name_has_two_effects_within_a_day[2]"),
    _lua("records are never forgotten",
         "decisions",
         "    if not kept(realm, key, entries[i], entries[i + 1], before_us) then "
         "redis.call('HDEL', key, entries[i]) end\n",
         "    kept(realm, key, entries[i], entries[i + 1], before_us)\n",
         f"{_RETENTION}what_is_too_old_leaves_no_key_behind",
         f"{_RETENTION}memory_is_flat_over_days_at_the_bound_and_no_command_is_refused"),
    _lua("there are never more shards",
         "decisions", "records < newest[SHARDS] * SHARD_FULL or newest[SHARDS] >= MOST_SHARDS", "true",
         f"{_RETENTION}a_record_takes_64_bytes_at_the_most_and_is_looked_for_twice_at_the_most"),
    _lua("what a dead engine's batch left is swept away",
         "decisions",
         "    if status == 'open' then return stored end\n    record = finish_decision(realm, shard, digest, stored)\n",
         "    if status == 'open' then return stored end\n",
         f"{_RETENTION}what_a_batch_left_whose_engine_died_is_finished_by_the_sweep"),
    _lua("the sweep gives up open batches",
         "decisions", "    if status == 'open' then return stored end\n", "",
         f"{_RETENTION}the_sweep_leaves_an_open_batch_alone"),
    _lua("whole answers are never forgotten",
         "decisions", "  if #minutes > 0 then redis.call('UNLINK', unpack(minutes)) end\n", "",
         f"{_RETENTION}what_is_too_old_leaves_no_key_behind"),
    Fault("near the bound whole answers stay",
          (Edit("app/relay/retention.py", "        if share > _HIGH:", "        if False:"),),
          (f"{_RETENTION}near_the_bound_whole_answers_go_first_and_it_is_said_when_redis_will_be_full",)),
    Fault("what is full is forgotten no more",
          (Edit(f"{LUA}/library.lua",
                "callback = forget_old, flags = {'allow-oom'}", "callback = forget_old, flags = {}"),),
          (f"{_RETENTION}redis_that_is_full_refuses_commands_and_still_forgets",)),
    _lua("offers that have ended are kept for a day",
         "offers", "  redis.call('EXPIRE', key, realm.answer_full_s)\n", "  redis.call('EXPIRE', key, 86400)\n",
         f"{_RETENTION}offers_that_a_player_makes_and_takes_back_are_kept_for_minutes_only"),
    # ------------------------------------------------------------ offers
    _lua("what an offer holds can be given away",
         "rules", "  return player[GOLD] - player[HELD_GOLD] < side.gold", "  return player[GOLD] < side.gold",
         f"{_OFFERS}what_is_held_cannot_be_traded_or_offered_a_second_time"),
    _lua("an offer holds no items",
         "players", "    player[HELD][line[ITEM_ID]] = held > 0 and held or nil\n", "",
         f"{_OFFERS}what_is_offered_is_held_and_still_owned"),
    _lua("the end of an offer frees nothing",
         "offers", "  hold(player, offer.one, -1)\n", "",
         f"{_OFFERS}declining_and_cancelling_free_exactly_what_was_held"),
    _lua("an accepted offer still holds",
         "offers", "  local player = load_player(realm, one.player_id)\n  hold(player, one, -1)\n",
         "  local player = load_player(realm, one.player_id)\n",
         f"{_OFFERS}accepting_moves_exactly_what_was_held_for_what_was_asked"),
    _lua("an accepted offer stays open",
         "offers", "  if not reason then write_end(realm, offer, 'accepted', trade_id) end\n", "",
         f"{_OFFERS}accepting_moves_exactly_what_was_held_for_what_was_asked"),
    _lua("an offer can be accepted after its end",
         "offers", "  if offer.expires_s > realm.seconds then return nil end\n", "  if true then return nil end\n",
         f"{_OFFERS}an_offer_expires_by_itself_and_late_acceptance_finds_it_closed",
         f"{_RULES}random_programs_end_like_the_model"),
    # ------------------------------------------------------------ batches
    _lua("the mark of a batch is ignored",
         "players", "  if player and player[BATCH] then\n", "  if false then\n",
         f"{_BATCHES}a_committed_batch_is_seen_whole_before_it_is_finished_and_by_its_repeats"),
    _lua("a command does not give up the open batch that it comes upon",
         "players",
         "  if status == 'open' and not realm.only_reads then redis.call('HSET', key, 'status', 'aborted') end\n",
         "",
         f"{_BATCHES}a_batch_that_others_always_disturb_is_a_503_without_effect", _HISTORY),
    _lua("a batch is committed though it was given up",
         "batches", "  if not is_open(realm, key) then return {'aborted'} end\n  if not has_room",
         "  if not has_room",
         f"{_BATCHES}a_batch_that_others_always_disturb_is_a_503_without_effect"),
    _lua("a refused batch keeps what was accepted before",
         "batches", "      forget(realm, first)\n", "",
         f"{_BATCHES}all_or_nothing_accepts_all_or_nothing"),
    Fault("a twin's answers are looked up once only",
          (Edit(BATCH, "        if any(stored) and not all(stored):", "        if False:"),),
          (f"{_CONCURRENCY}a_large_batch_whose_twin_is_committed_meanwhile_gets_the_same_results",)),
    # ------------------------------------------------------------ bounds and callers
    _lua("the outbox has no bound",
         "realm", "  return realm.sequence - realm.published + events <= realm.outbox_max_events", "  return true",
         f"{_HTTP}a_full_outbox_is_a_503_before_anything_changes_and_reads_go_on"),
    Fault("the maker of an offer may accept it",
          (Edit(f"{LUA}/offers.lua", "not_for(acting, offer, offer.two)", "not_for(acting, offer, offer.one)"),),
          (f"{_ACCESS}a_player_acts_on_its_own_offers_only",)),
    Fault("players may act for others",
          (Edit(GUARD, "    if owner != caller.player_id:", "    if False:"),),
          (f"{_ACCESS}a_player_acts_on_its_own_offers_only",)),
    Fault("a stranger is told that an offer is others'",
          (Edit(f"{LUA}/offers.lua", "  return {is_party and 'forbidden' or 'unknown'}", "  return {'forbidden'}"),),
          (f"{_ACCESS}a_stranger_is_told_the_same_of_an_offer_as_of_one_that_there_is_not",)),
    Fault("a stranger is shown an offer",
          (Edit("app/usecases.py",
                "offer is None or acting not in (None, offer.player_1.player_id, offer.player_2.player_id)",
                "offer is None"),),
          (f"{_ACCESS}a_stranger_is_told_the_same_of_an_offer_as_of_one_that_there_is_not",)),
    Fault("a player is shown the other one's state",
          (Edit(ROUTES, "        is_seen = player and self.caller.player_id in (None, player.player_id)\n",
                "        is_seen = True\n"),),
          (f"{_ACCESS}a_player_sees_its_own_state_after_a_trade_or_an_offer_and_nobody_elses",)),
    Fault("a player's names are the game server's too",
          (Edit("app/auth.py", 'return given if self.player_id is None else f"{self.player_id}~{given}"',
                "return given"),),
          (f"{_ACCESS}what_a_player_calls_its_offers_and_trades_takes_no_name_from_the_game_server_or_other_players",)),
    Fault("players may use what is for the game server",
          (Edit(GUARD, "if caller.player_id is not None and operation.access is not Access.PLAYER:", "if False:"),),
          (f"{_ACCESS}a_player_may_not_use_what_is_for_the_game_server",)),
    Fault("a service key may do everything, whatever its scope",
          (Edit(GUARD, "caller.player_id is None and operation.scope not in caller.scope", "False"),),
          (f"{_ACCESS}a_service_key_may_do_what_its_scope_says",)),
    Fault("to issue tokens is to trade",
          (Edit("app/http/operations.py", "        return self.needs or (Scope.READ", "        return (Scope.READ"),),
          (f"{_ACCESS}to_read_to_trade_to_adjust_and_to_issue_tokens_are_four_scopes",)),
    Fault("strangers are not counted",
          (Edit(GUARD, "        if wait_s := self._strangers.wait_s(host_of(address)):", "        if wait_s := 0:"),),
          (f"{_ACCESS}an_address_without_a_valid_key_gets_429_beyond_its_rate_and_valid_keys_do_not",)),
    Fault("whoever calls may say where it calls from",
          (Edit("app/http/addresses.py", "        return bool(self._networks) and _is_in(address, self._networks)\n",
                "        return True\n"),),
          (f"{_ACCESS}what_a_trusted_proxy_says_of_its_callers_is_believed_and_others_are_not",)),
    Fault("a body may take for ever",
          (Edit(GUNICORN, "Timeout(max(0.0, self._until - time.monotonic()), RequestTimeout())", "suppress()"),),
          (f"{_SLOW}a_body_that_does_not_come_in_time_is_a_408",)),
    Fault("a body may drip for ever",
          (Edit(GUNICORN, "Timeout(max(0.0, self._until - time.monotonic()), RequestTimeout())", "suppress()"),),
          (f"{_SLOW}a_body_that_drips_is_a_408_too",)),
    Fault("an answer may be taken at leisure",
          (Edit(GUNICORN, "].settimeout(_settings.request_timeout_s)", "].settimeout(None)"),),
          (f"{_SLOW}a_caller_that_does_not_take_its_answers_is_left",)),
    Fault("who sends without a pause keeps all others waiting",
          (Edit(GUNICORN, "        if self.nr % _REQUESTS_IN_A_ROW == 0:\n            sleep(0)\n", ""),),
          (f"{_SLOW}who_sends_requests_without_a_pause_does_not_keep_others_waiting",)),
    Fault("a body without an end is read for ever",
          (Edit(GUNICORN, "if not body.finish() or statuses[-1] in _LAST:", "if False:"),),
          (f"{_SLOW}a_body_without_an_end_that_nobody_reads_ends_the_connection",)),
    Fault("a revoked token uses up what its player may send",
          (Edit(GUARD, "        self._count(caller)\n", ""),
           Edit(GUARD, "        # before it is counted, or a stolen token would use up what its player may send\n",
                "        self._count(caller)\n")),
          (f"{_ACCESS}a_token_that_was_taken_back_uses_up_nothing_of_what_its_player_may_send",)),
    Fault("a player may ask whether another one is in a version",
          (Edit(ROUTES, "versions.keys() - {self.caller.player_id}:", "False:"),
           Edit(ROUTES, "call.caller.player_id is not None and call.body.player_2.version is not None", "False")),
          (f"{_ACCESS}a_player_cannot_ask_which_version_another_one_is_in",)),
    Fault("a player's body may be larger than its bytes of a minute",
          (Edit(GUARD, "limit if caller.player_id is None or not of_player else min(limit, of_player)",
                "limit"),),
          (f"{_ACCESS}a_body_of_a_player_is_no_larger_than_its_bytes_of_a_minute",)),
    Fault("a full Redis takes nothing that makes room",
          (Edit(OUTBOX, '"""#!lua flags=allow-oom\n', '"""'),),
          (f"{_RETENTION}redis_that_is_full_takes_what_kafka_has_acknowledged_and_makes_room",)),
    _lua("shards are the same in every realm",
         "decisions", "(one * retained.factor_1 + two * retained.factor_2) / 65536", "(one + two) / 65536",
         f"{_RETENTION}nobody_outside_knows_which_names_share_a_shard"),
    Fault("an address may take every place",
          (Edit("app/http/addresses.py", "        if self._taken[host] >= self._most:", "        if False:"),),
          (f"{_SLOW}an_address_has_so_many_connections_and_is_told",)),
    Fault("health has no port of its own",
          (Edit(GUNICORN, "(_settings.engine_port, _settings.engine_management_port)", "(_settings.engine_port,)"),),
          (f"{_SLOW}health_and_metrics_are_served_while_every_place_is_taken",)),
    Fault("nobody is over the rate",
          (Edit(GUARD, "        if g.allowance.is_exceeded:", "        if False:"),),
          (f"{_ACCESS}a_caller_beyond_its_rate_gets_429_with_the_time_to_wait_and_others_do_not",)),
    Fault("If-Match is ignored",
          (Edit(ROUTES, "        header = self.value(operations.IF_MATCH)\n", "        header = None\n"),),
          (f"{_OFFERS}an_acceptance_on_a_state_that_has_changed_is_a_412",)),
    Fault("a 503 does not say when to try again",
          (Edit(RESPONSES, '{"Retry-After": str(error.retry_after_s)}', "{}"),),
          (f"{_TROUBLE}while_redis_is_full_commands_are_503s_and_reads_go_on",)),
    Fault("Redis is waited for ten times as long",
          (Edit(CLIENT, "        socket_timeout=3 * part_s,", "        socket_timeout=30 * part_s,"),),
          (f"{_TROUBLE}while_redis_is_frozen_each_request_is_a_503_soon",)),
    Fault("the functions are loaded at the start only",
          (Edit(FUNCTIONS, '            if "function not found" not in str(error).lower():', "            if True:"),),
          (f"{_TROUBLE}redis_without_the_functions_is_given_them_again",)),
    Fault("the broken connection of the group commit fails a call",
          (Edit(FUNCTIONS,
                "            except RedisConnectionError:\n                return self._client.fcall(*words)\n",
                "            except RedisConnectionError:\n                raise\n"),),
          (f"{_TROUBLE}redis_that_was_restarted_between_two_trades_costs_no_503",)),
    Fault("readiness does not ask whether commands are taken",
          (Edit(ROUTES, "store.is_full(), store.backlog()", "False, store.backlog()"),),
          (f"{_TROUBLE}while_redis_is_full_commands_are_503s_and_reads_go_on",)),
    Fault("without Redis there are no metrics",
          (Edit(METRICS, "    except Unavailable:\n        return now\n",
                "    except Unavailable:\n        raise\n"),),
          (f"{_TROUBLE}while_redis_is_gone_each_request_is_a_503_soon",)),
    Fault("a group that gets no answer lets those behind it wait",
          (Edit(GROUP, "        if isinstance(outcomes[0], Unavailable):", "        if False:"),),
          (f"{_GROUPS}a_failed_call_fails_its_requests_and_without_redis_those_behind_it",)),
    Fault("a batch nested too deeply is a defect",
          (Edit(REQUESTS, "UnicodeDecodeError, RecursionError) as error", "UnicodeDecodeError) as error"),),
          (f"{_TESTS}/test_openapi_fuzz.py::test_what_was_found_is_refused",)),
    Fault("an answer of a route is not described",
          (Edit(OPERATIONS,
                "requests.TradeRequest, problems=_EXCHANGE,", "requests.TradeRequest, problems=_COMMAND,"),),
          (f"{_TESTS}/test_openapi_fuzz.py::test_answers_to_fitting_requests_are_as_described[POST /v1/trades]",)),
    Fault("a player may send any number of bytes",
          (Edit(GUARD, "        if allowance.is_exceeded:", "        if False:"),),
          (f"{_ACCESS}a_player_may_send_so_many_bytes_a_minute",)),
    Fault("a token that was taken back is good",
          (Edit("app/store/tokens.py", "return revoked_at is not None and issued_at", "return False and issued_at"),),
          (f"{_ACCESS}the_tokens_of_one_player_are_taken_back_and_a_new_one_is_good",)),
    Fault("to refuse a request is written down",
          (Edit("app/store/rates.py", "from limits.strategies import SlidingWindowCounterRateLimiter\n",
                "from limits.strategies import FixedWindowRateLimiter as SlidingWindowCounterRateLimiter\n"),),
          (f"{_ACCESS}a_request_beyond_the_rate_writes_nothing_to_disk",)),
    Fault("nobody is counted, so nobody reads",
          (Edit(GUARD, "            if request.method not in _READING:", "            if True:"),),
          (f"{_ACCESS}while_redis_is_full_a_player_may_still_read",)),
    # ------------------------------------------------------------ the relay
    Fault("a topic that was created anew is published to as if nothing had happened",
          (Edit(TOPIC, "        self.check_topic()\n        self._check_offset(offsets[0])\n", ""),),
          (f"{_RELAY}nothing_is_committed_in_a_topic_that_was_created_anew",)),
    Fault("a topic that was created anew is published to as if nothing had happened, under load",
          (Edit(TOPIC, "        self.check_topic()\n        self._check_offset(offsets[0])\n", ""),),
          (f"{_RELAYED}a_topic_deleted_under_load_is_filled_again[delete_and_create]",)),
    Fault("a log that went back is published to as if nothing had happened",
          (Edit(TOPIC, "        if offset <= self._newest_offset:", "        if False:"),),
          (f"{_RELAY}nothing_is_committed_in_a_log_that_went_back",)),
    Fault("another realm's open transaction hides events from the relay",
          (Edit(TOPIC, '        while self._offset(partition, OffsetSpec.LATEST, "read_committed") < end:',
                "        while False:"),),
          (f"{_RELAYED}events_behind_another_realms_open_transaction_are_found",)),
    Fault("a commit without an answer is taken for done",
          (Edit(TOPIC, "        if not result.wait(timeout_ms=1_000 * _COMMIT_TIMEOUT_S):",
                "        if result.wait(timeout_ms=1_000 * _COMMIT_TIMEOUT_S) is None:"),),
          (f"{_RELAY}a_commit_that_is_not_answered_has_a_deadline",)),
    Fault("Kafka acknowledges what is in its page cache",
          (Edit(TOPIC, '        "flush.messages": "1",\n', ""),),
          (f"{_RELAYED}an_existing_topic_gets_flushes_and_bounds",)),
    Fault("an existing topic stays as it is configured",
          (Edit(TOPIC, "            self._configure(config)\n", "            pass\n"),),
          (f"{_RELAYED}an_existing_topic_gets_flushes_and_bounds",)),
    Fault("events that have expired are published again",
          (Edit(LOOP, "(published.sequence if has_expired else 0)", "0"),),
          (f"{_RELAY}a_topic_whose_retention_is_over_is_not_filled_again",
           f"{_RELAYED}events_that_have_expired_are_not_published_again")),
    Fault("a topic that was lost is not filled again",
          (Edit(LOOP, "(published.sequence if has_expired else 0)", "published.sequence"),),
          (f"{_RELAY}a_wiped_topic_is_filled_from_the_oldest_event_that_is_kept",
           f"{_RELAYED}a_topic_deleted_while_nothing_is_played_is_filled_again")),
    Fault("another number of partitions is not noticed",
          (Edit(LOOP, "    check_partitions(content.topic, published)\n", ""),),
          (f"{_RELAYED}another_number_of_partitions_is_refused_while_running_and_at_the_start",)),
    Fault("a deleted topic is noticed by the next event only",
          (Edit(LOOP, "                publisher.check_topic()\n", ""),),
          (f"{_RELAYED}a_topic_deleted_while_nothing_is_played_is_filled_again",)),
    Fault("what was published goes back",
          (Edit(OUTBOX, "if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then", "if true then"),),
          (f"{_RELAYED}the_outbox_keeps_the_newest_published_events_and_they_do_not_count_as_waiting",)),
    Fault("the outbox forgets what is published",
          (Edit(OUTBOX, "max(0, position - self._keep_entries) + 1", "position + 1"),),
          (f"{_RELAYED}the_outbox_keeps_the_newest_published_events_and_they_do_not_count_as_waiting",)),
    Fault("published events that are kept count as waiting",
          (Edit(OUTBOX, 'xrange(keys.outbox, min=f"{position + 1}-0", count=1)', "xrange(keys.outbox, count=1)"),),
          (f"{_RELAYED}the_outbox_keeps_the_newest_published_events_and_they_do_not_count_as_waiting",)),
    Fault("a transaction of the relay holds as many entries as it may hold events",
          (Edit(OUTBOX, "            if len(events) >= limit:\n                break\n", ""),),
          (f"{_RELAYED}a_batch_is_bounded_though_an_entry_holds_the_events_of_a_whole_call",)),
    # ------------------------------------------------------------ what the game gives and takes
    _lua("what is taken is given as well",
         "adjustments", "{gold = math.max(0, sign * gold), lines = {}}", "{gold = math.abs(gold), lines = {}}",
         f"{_ADJUST}gold_and_items_are_given_and_taken_in_one_step"),
    _lua("items are given without being taken",
         "adjustments", "exchange(player, adjustment.taken, adjustment.given)",
         "exchange(player, {lines = {}, gold = adjustment.taken.gold, units = 0, value = 0}, adjustment.given)",
         f"{_ADJUST}gold_and_items_are_given_and_taken_in_one_step"),
    _lua("what offers hold may be taken by the game",
         "rules", "  if lacks_gold(taken, player) then return 'insufficient_gold' end\n",
         "  if player[GOLD] < taken.gold then return 'insufficient_gold' end\n",
         f"{_ADJUST}what_offers_hold_cannot_be_taken"),
    _lua("the game gives beyond the capacity",
         "rules", "  if exceeds_capacity(taken, given, player) then return 'capacity_exceeded' end\n", "",
         f"{_ADJUST}what_cannot_be_is_refused_and_changes_nothing"),
    _lua("an adjustment has as many effects as it is sent",
         "adjustments", "    if not record then\n", "    if true then\n",
         f"{_ADJUST}a_repeat_has_no_second_effect_and_other_content_is_an_error"),
    _lua("what the game gives and takes is not counted",
         "events", "  write_supply(realm)\n", "",
         f"{_CATALOG}an_item_that_players_hold_cannot_vanish_and_one_that_nobody_holds_can"),
    Fault("who may trade may adjust",
          (Edit(OPERATIONS, "        return self.needs or (Scope.READ", "        return (Scope.READ"),),
          (f"{_ADJUST}to_adjust_is_a_scope_of_its_own",)),
    # ------------------------------------------------------------ the catalog
    _lua("an engine decides by whatever catalog it knows",
         "realm", "  if args[3] ~= '' and args[3] ~= tag then", "  if false then",
         f"{_CATALOG}a_new_version_holds_for_all_engines_from_one_event_on"),
    _lua("a large batch is decided by two catalogs",
         "batches", "fields[1] == 'open' and fields[2] == realm.catalog_tag", "fields[1] == 'open'",
         f"{_CATALOG}a_large_batch_is_not_decided_by_two_catalogs"),
    _lua("an item vanishes from under its holders",
         "library", "  if #held > 0 then return", "  if false then return",
         f"{_CATALOG}an_item_that_players_hold_cannot_vanish_and_one_that_nobody_holds_can"),
    _lua("a catalog goes back",
         "library", "  if version < realm.catalog.version then return {'goes_back', realm.catalog_tag} end\n", "",
         f"{_CATALOG}a_version_that_was_left_out_is_refused"),
    _lua("a version is published twice",
         "library", "  if known and known ~= digest then return {'other_content', realm.catalog_tag} end\n", "",
         f"{_CATALOG}a_version_that_goes_back_or_has_other_content_is_refused_in_a_sentence"),
    _lua("inventories keep the values of an earlier catalog",
         "players", "  if player then revalue(realm, player) end\n", "",
         f"{_CATALOG}a_new_version_holds_for_all_engines_from_one_event_on"),
    _lua("old trades are told with the values of today",
         "trades", "  if record.occurred_us >= realm.catalog.since_us then return end\n", "  if true then return end\n",
         f"{_CATALOG}without_its_whole_answer_a_trade_of_an_earlier_catalog_has_no_values"),
    # ------------------------------------------------------------ players and their names
    _lua("two players have one external_id",
         "accounts", "  if taken then return {'external_id_taken', taken} end\n", "",
         f"{_ACCOUNTS}an_external_id_is_of_one_player_of_the_realm"),
    _lua("a repeated creation makes another player",
         "accounts", "digest ~= '' and find_decision(realm, digest)", "false",
         f"{_ACCOUNTS}a_repeated_creation_makes_no_second_player"),
    _lua("a username survives its player's wish",
         "accounts", "  redis.call('HDEL', names_key(realm, player_id), integer_text(player_id))\n", "",
         _FORGOTTEN),
    _lua("an external_id survives its player's wish",
         "accounts", "redis.call('HDEL', external_key(realm, external_id), external_id)", "do end", _FORGOTTEN),
    _lua("a closed account trades",
         "rules", "  if player_1[CLOSED] or player_2[CLOSED] then return 'account_closed' end\n", "",
         f"{_ACCOUNTS}the_account_is_closed_and_its_balance_stays"),
    _lua("a closed account is given to",
         "rules", "  if player[CLOSED] then return 'account_closed' end\n", "",
         f"{_ADJUST}an_adjustment_to_a_closed_account_is_refused"),
    _lua("offers outlive their player",
         "accounts", "    close(realm, read_offer(realm, offer_id), 'account_closed')\n", "",
         f"{_ACCOUNTS}its_offers_end_made_and_received"),
    Fault("tokens outlive their player",
          (Edit("app/usecases.py", "    store.tokens.revoke(player_id)\n    return player\n", "    return player\n"),),
          (f"{_ACCOUNTS}its_tokens_are_taken_back_and_only_an_admin_may_forget",)),
    Fault("an event has the name of now",
          (Edit("app/store/layout.py", "dict(zip(pairs[::2], pairs[1::2], strict=True)).get(version)", "pairs[-1]"),),
          (f"{_ACCOUNTS}each_event_has_the_name_of_then_however_late_it_is_read",)),
    Fault("a repeat leaves no trace",
          (Edit("app/http/repeats.py", "    if names:\n", "    if not names:\n"),),
          (f"{_TESTS}/test_repeats.py::test_a_trade_that_is_sent_again_is_counted_and_logged_once_each_time",)),
    Fault("a double click is a duplication",
          (Edit(f"{_CHEATS}/duplication.py", "_COPIES_MIN: Final = 3", "_COPIES_MIN: Final = 2"),),
          (f"{_DETECTION}a_double_click_and_an_impatient_finger_are_no_duplication",)),
    Fault("who buys once of a duper is one",
          (Edit(f"{_CHEATS}/duplication.py", "partners[player] >= partners[other]", "True"),),
          (f"{_DETECTION}who_buys_once_of_a_duper_of_many_is_not_suspected",)),
    Fault("a leaver's friend is a thief",
          (Edit(f"{_CHEATS}/account_theft.py", "_PASSED_SHARE: Final = 0.4", "_PASSED_SHARE: Final = 0.0"),),
          (f"{_DETECTION}a_leaver_who_gives_all_to_an_old_friend_was_not_robbed",)),
    Fault("nobody is a fence",
          (Edit(f"{_CHEATS}/account_theft.py", "_FENCED_SHARE: Final = 0.12", "_FENCED_SHARE: Final = 2"),),
          (f"{_DETECTION}an_account_that_is_emptied_to_a_stranger_who_passes_it_on_was_stolen",)),
    Fault("a guild's bank sells gold",
          (Edit(f"{_CHEATS}/gold_selling.py", "_RETURNED_MAX: Final = 0.15", "_RETURNED_MAX: Final = 99"),),
          (f"{_DETECTION}the_bank_of_a_guild_whose_members_take_out_again_sells_no_gold",)),
    Fault("a speculator is a cartel",
          (Edit(f"{_CHEATS}/price_manipulation.py", "if 2 <= len(members) <= _CARTEL_MAX", "if members"),),
          (f"{_DETECTION}who_does_it_alone_is_a_speculator",)),
    Fault("a lot that comes back once is enough",
          (Edit(f"{_CHEATS}/wash_trading.py", "_CYCLES: Final = 4", "_CYCLES: Final = 99"),),
          (f"{_DETECTION}a_lot_that_goes_round_a_ring_again_and_again_is_wash_trading",)),
    Fault("a fast human is a bot",
          (Edit(f"{_CHEATS}/botting.py", "_EVEN_SHARE: Final = 0.85", "_EVEN_SHARE: Final = 0.01"),),
          (f"{_DETECTION}who_trades_fast_for_an_hour_with_pauses_of_a_human_is_none",)),
    Fault("victims count as wrongly flagged",
          (Edit("jobs/economy/evaluation.py", "wrongly_flagged=len(suspected) - len(right)", "wrongly_flagged=0"),),
          (f"{_JUDGED}a_player_is_found_if_it_is_flagged_whatever_for_and_named_if_for_its_own_cheat",)),
    Fault("an interval is as wide as one likes",
          (Edit("jobs/economy/evaluation.py", "_Z: Final = 1.959964", "_Z: Final = 1.0"),),
          (f"{_JUDGED}wilsons_interval_is_that_of_the_literature",)),
    Fault("events out of order are judged",
          (Edit("jobs/economy/log.py", "        if event.sequence <= sequence:\n", "        if False:\n"),),
          (f"{_JUDGED}events_out_of_order_are_refused",)),
)  # fmt: skip

QUICKER: Final = Edit("tests/integration/test_concurrency.py", "DURATION_S = 30\n", "DURATION_S = 4\n")
"""For the copies only: a fault shows sooner."""
