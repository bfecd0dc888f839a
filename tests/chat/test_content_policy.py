from __future__ import annotations

from curc_llm.chat.content_policy import make_root_relative


def test_gradios_address_loses_the_host_that_only_the_node_knows() -> None:
    page = b'{"root":"http://node7:4711/node/h/1/chat","x":"http://node7:4711/node/h/1/chat/file"}'
    assert (
        make_root_relative(page, "/node/h/1/chat") == b'{"root":"/node/h/1/chat","x":"/node/h/1/chat/file"}'
    )


def test_other_addresses_stay() -> None:
    page = b'"https://example.org/chatter" "https://example.org/"'
    assert make_root_relative(page, "/chat") == page
