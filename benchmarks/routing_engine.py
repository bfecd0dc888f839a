"""A fake engine with a prefix cache, for the benchmark of routing: what it would have to compute is counted.

    python routing_engine.py SOCKET BLOCKS

It serves SOCKET and a TCP port of loopback, and prints "ready PORT". As vLLM does, it keeps blocks of 16
tokens (64 characters here) by the hash of all that stands before them, BLOCKS of them, those unused for
longest going first (vllm/v1/core/kv_cache_utils.py). A prompt's unknown tokens take 0.05 ms each, an answer's
2 ms; GET /counts tells {"queries", "hits", "requests"} in tokens.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

BLOCK_CHARACTERS, TOKENS_OF_BLOCK = 64, 16
PREFILL_S, TOKEN_S = 0.00005, 0.002
HEAD = "HTTP/1.1 {} OK\r\ncontent-type: {}\r\n{}\r\n\r\n"


@dataclass
class PrefixCache:
    """Blocks by the hash of all that stands before them.

    Args:
        room: blocks that fit.
    """

    room: int
    blocks: OrderedDict[int, None] = field(default_factory=OrderedDict)
    queries: int = 0
    hits: int = 0
    requests: int = 0

    def take(self, text: str) -> int:
        """Looks a prompt up and keeps it; returns the tokens that must be computed."""
        mark, is_known, hits, total = 0, True, 0, len(text) // BLOCK_CHARACTERS
        for i in range(total):
            mark = hash((mark, text[i * BLOCK_CHARACTERS : (i + 1) * BLOCK_CHARACTERS]))
            is_known = is_known and mark in self.blocks
            hits += is_known
            self.blocks[mark] = None
            self.blocks.move_to_end(mark)
        while len(self.blocks) > self.room:
            self.blocks.popitem(last=False)
        self.requests += 1
        self.queries += total * TOKENS_OF_BLOCK
        self.hits += hits * TOKENS_OF_BLOCK
        return (total - hits) * TOKENS_OF_BLOCK


def render_prompt(document: dict[str, Any]) -> str:
    """The chat as the model sees it."""
    return "".join(f"<{m['role']}>{m['content']}" for m in document["messages"])


async def serve(cache: PrefixCache, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            if lines[0].startswith("GET"):
                counts = {"queries": cache.queries, "hits": cache.hits, "requests": cache.requests}
                _write(writer, counts if "/counts" in lines[0] else {})
            else:
                document = json.loads(body)
                if "/render" in lines[0]:  # vllm-router asks for the tokens before it chooses an engine
                    text = render_prompt(document)
                    tokens = [zlib.crc32(text[i : i + 4].encode()) & 0xFFFF for i in range(0, len(text), 4)]
                    _write(writer, {"request_id": "r", "token_ids": tokens, "sampling_params": {}})
                    continue
                count = document.get("max_tokens") or 16
                await asyncio.sleep(cache.take(render_prompt(document)) * PREFILL_S + count * TOKEN_S)
                message = {"role": "assistant", "content": "word " * count}
                _write(
                    writer,
                    {"choices": [{"index": 0, "message": message}], "usage": {"completion_tokens": count}},
                )
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _write(writer: asyncio.StreamWriter, value: Any) -> None:
    body = json.dumps(value).encode()
    writer.write(HEAD.format(200, "application/json", f"content-length: {len(body)}").encode() + body)


async def main() -> None:
    """Serves until it is ended."""
    cache = PrefixCache(int(sys.argv[2]))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(cache, reader, writer)

    await asyncio.start_unix_server(answer, sys.argv[1], limit=2**24)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**24)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
