"""Each operation says whom it takes and whose affairs it touches; one that does not is refused at the start."""

import pytest

from app.http.operations import OPERATIONS, Access, Operation, Owner


@pytest.mark.parametrize(
    ("access", "owner"),
    [
        (Access.PLAYER, Owner.NOBODY),
        (Access.PLAYER, Owner.GAME),
        (Access.SERVICE, Owner.PATH),
        (Access.ANYONE, Owner.OFFER),
    ],
)
def test_an_operation_that_does_not_say_whose_affairs_it_touches_does_not_start(access: Access, owner: Owner) -> None:
    with pytest.raises(ValueError, match="touches no affairs"):
        Operation("GET", "/v1/secrets", access, owner, "Tell", {200: None})


def test_no_two_operations_have_one_route() -> None:
    routes = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(routes) == len(set(routes))
