"""`kdiag mcp` with a real client: the SDK's own, over the standard streams of a real process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.support.paths import REPOSITORY

anyio = pytest.importorskip("anyio")
mcp = pytest.importorskip("mcp")

OLD = str(REPOSITORY / "fixtures" / "docker-desktop-old")
DEBIAN = str(REPOSITORY / "fixtures" / "debian-6.12-headers")


def session(use: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """What `use` returns with a client that has shaken hands with a server of its own."""
    from mcp.client.stdio import StdioServerParameters, stdio_client

    async def run() -> Any:
        parameters = StdioServerParameters(command=sys.executable, args=["-m", "kdiag", "mcp"])
        async with stdio_client(parameters) as (read, write), mcp.ClientSession(read, write) as client:
            await client.initialize()
            return await use(client)

    return anyio.run(run)


def answer(tool: str, **arguments: str) -> str:
    """The text that a tool answers with."""

    async def use(client: Any) -> str:
        result = await client.call_tool(tool, arguments)
        assert not result.is_error, result
        return str(result.content[0].text)

    return str(session(use))


def test_the_tools_say_that_they_only_read() -> None:
    async def use(client: Any) -> Any:
        return (await client.list_tools()).tools

    tools = session(use)
    assert {tool.name for tool in tools} == {"check", "why", "explain", "btf_struct", "btf_func"}
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)


def test_check_and_why_are_the_documents_of_the_commands() -> None:
    report = json.loads(answer("check", recording=OLD, require="kprobe, hello"))
    assert report["schema"] == "kdiag.report/1" and report["required"] == ["kprobe", "hello"]
    told = json.loads(answer("why", text="libbpf: failed to find valid kernel BTF", recording=OLD))
    assert told["answers"][0]["cause"]["id"] == "btf.vmlinux"


def test_explain_and_types() -> None:
    assert (
        json.loads(answer("explain", name="CONFIG_IKHEADERS", recording=DEBIAN))["answers"][0]["kind"]
        == "option"
    )
    assert "char comm[16];" in answer("btf_struct", name="task_struct", recording=DEBIAN)


def test_a_wrong_name_is_an_answer_and_no_end() -> None:
    assert "task_structt" in json.loads(answer("btf_struct", name="task_structt", recording=DEBIAN))["error"]
