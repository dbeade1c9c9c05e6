"""How callers are told apart by their addresses, and how they are counted."""

from app.http.addresses import Places, Proxies, Strangers, host_of


def test_the_caller_is_the_nearest_address_that_is_no_proxy() -> None:
    proxies = Proxies("10.0.0.0/8, 192.0.2.1")
    assert proxies.caller("203.0.113.5", "198.51.100.9") == "203.0.113.5"
    assert proxies.caller("10.1.2.3", "198.51.100.9, 203.0.113.5") == "203.0.113.5"
    assert proxies.caller("10.1.2.3", "forged, 203.0.113.5, 192.0.2.1") == "203.0.113.5"
    assert proxies.caller("10.1.2.3", "") == "10.1.2.3"
    assert not Proxies("").has("10.1.2.3")
    assert proxies.has("::ffff:10.1.2.3")
    assert proxies.caller("10.1.2.3", "203.0.113.5:4711") == "203.0.113.5"
    assert proxies.caller("10.1.2.3", "[2001:db8::1]:4711") == "2001:db8::1"


def test_a_host_of_ipv6_may_call_from_its_whole_network() -> None:
    assert host_of("2001:db8::1") == host_of("2001:db8::ffff:2") != host_of("2001:db8:0:1::1")
    assert host_of("192.0.2.1") != host_of("192.0.2.2")
    assert host_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert host_of("no address: at all") == "no address: at all"


def test_a_place_that_was_given_back_may_be_taken_again() -> None:
    places = Places(2)
    assert [places.take("a") for _ in range(3)] == [True, True, False]
    assert places.take("b")
    places.give_back("a")
    assert [places.take("a") for _ in range(2)] == [True, False]


def test_strangers_may_send_so_many_requests_in_any_minute() -> None:
    now_s = 0.0
    strangers = Strangers(60, lambda: now_s)
    welcome = 0
    for now_s in range(10 * 60):  # noqa: B007 - the clock reads it
        welcome += sum(strangers.wait_s("a") == 0 for _ in range(5))
    assert 10 * 60 * 0.9 < welcome <= 11 * 60
    assert strangers.wait_s("b") == 0
    assert 1 <= strangers.wait_s("a") <= 60


def test_addresses_beyond_those_that_are_kept_are_counted_together() -> None:
    strangers = Strangers(2, lambda: 0.0)
    waits = [strangers.wait_s(f"host-{number}") for number in range(10_010)]
    assert not any(waits[:10_000])
    assert [bool(wait) for wait in waits[10_000:]] == [False, False] + [True] * 8
    assert strangers.wait_s("host-1") == 0
