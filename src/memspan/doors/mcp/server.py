"""The server: what the SDK asks, answered from a memory. The scope is the server's, never an argument of a model."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from memspan.core.errors import MemspanError, UsageError
from memspan.doors.mcp import prompts, resources, tools
from memspan.doors.mcp.tools import Tool
from memspan.doors.memories import Memories

if TYPE_CHECKING:
    from memspan.text.memory import Memory

Context = ServerRequestContext[dict[str, object]]
T = TypeVar("T")

RIGHTS = "memspan.rights"
"""Where a call over HTTP carries what its key may do: read, write, forget; without it, everything."""

log = logging.getLogger("memspan.mcp")


class Answers:
    """What is answered to each request. memories, scope: whose memory;  offered: the tools there are"""

    def __init__(self, memories: Memories, scope: str, offered: Sequence[Tool]) -> None:
        self._memories, self._scope = memories, scope
        self._tools = {tool.name: tool for tool in offered}
        self._one = CapacityLimiter(4)  # a memory answers one after the other; more threads would only wait

    async def _ask(self, what: "Callable[[Memory], T]") -> T:
        """What the memory says to that, in a thread; it is opened at the first call."""

        def asked() -> T:
            with self._memories.of(self._scope) as memory:
                return what(memory)

        return await to_thread.run_sync(asked, limiter=self._one)

    async def tools(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """All tools."""
        return types.ListToolsResult(tools=[_told(tool) for tool in self._tools.values()])

    async def call(self, context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        """What a tool gives; what goes wrong in it is told to the model, which may mend it."""
        tool = self._tools.get(asked.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool is called {asked.name[:40]!r}; see tools/list")
        if (right := tool.right()) not in _rights(context, right):
            return _failed(f"this key may not {right} here")
        try:
            answer = await self._ask(partial(tools.answer, tool, given=asked.arguments))
        except MemspanError as why:
            return _failed(str(why))
        except Exception as why:  # noqa: BLE001 - a mistake of ours must not end the conversation
            log.error("%s: %s", tool.name, _where(why))
            return _failed("a mistake of the memory server; its log says where")
        return types.CallToolResult(content=[_text(answer.text)], structured_content=answer.fields)

    async def resources(
        self, context: Context, asked: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """A page of what there is to open."""
        cursor = asked.cursor if asked else None
        page, after = await self._kept(context, lambda memory: resources.listed(memory, cursor))
        made = [types.Resource(uri=one.uri, name=one.title, title=one.title, mime_type=one.mime) for one in page]
        return types.ListResourcesResult(resources=made, next_cursor=after)

    async def templates(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        """How addresses are written."""
        made = [
            types.ResourceTemplate(uri_template=uri, name=name, description=means, mime_type=mime)
            for uri, (name, means, mime) in resources.TEMPLATES.items()
        ]
        return types.ListResourceTemplatesResult(resource_templates=made)

    async def read(self, context: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """A resource."""
        uri = str(asked.uri)
        mime, text = await self._kept(context, lambda memory: resources.read(memory, uri))
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=mime, text=text)])

    async def prompts(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        """All prompts."""
        made = [
            types.Prompt(name=one.name, title=one.title, description=one.description, arguments=_arguments(one))
            for one in prompts.PROMPTS.values()
        ]
        return types.ListPromptsResult(prompts=made)

    async def prompt(self, context: Context, asked: types.GetPromptRequestParams) -> types.GetPromptResult:
        """What a prompt says."""
        said = await self._kept(context, lambda memory: prompts.written(asked.name, memory, asked.arguments))
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=_text(said))])

    async def _kept(self, context: Context, what: "Callable[[Memory], T]") -> T:
        """What the memory says to a reader; what goes wrong becomes an error of the protocol."""
        if "read" not in _rights(context, "read"):
            raise MCPError(types.INVALID_REQUEST, "this key may not read here")
        try:
            return await self._ask(what)
        except MemspanError as why:
            code = types.INVALID_PARAMS if isinstance(why, UsageError) else types.INTERNAL_ERROR
            raise MCPError(code, str(why)) from None
        except Exception as why:  # noqa: BLE001 - as above; the SDK would tell the client what it says
            log.error("%s", _where(why))
            raise MCPError(types.INTERNAL_ERROR, "a mistake of the memory server; its log says where") from None


def server_of(memories: Memories, scope: str, which: str) -> "Server[dict[str, object]]":
    """The server of a scope. which: "memory" for the tools of `Memory`, "reference" for the reference server's nine"""
    if which == "reference":
        offered = import_module("memspan.doors.mcp.reference").REFERENCE
        answers = Answers(memories, scope, offered)
        return Server("memspan", version=_version(), on_list_tools=answers.tools, on_call_tool=answers.call)
    answers = Answers(memories, scope, tools.MEMORY)
    return Server(
        "memspan",
        version=_version(),
        title="memspan",
        instructions=tools.INSTRUCTIONS,
        on_list_tools=answers.tools,
        on_call_tool=answers.call,
        on_list_resources=answers.resources,
        on_list_resource_templates=answers.templates,
        on_read_resource=answers.read,
        on_list_prompts=answers.prompts,
        on_get_prompt=answers.prompt,
    )


def _rights(context: Context, wanted: str) -> tuple[str, ...]:
    scope = getattr(context.request, "scope", {})
    rights: tuple[str, ...] = scope.get(RIGHTS, (wanted,))
    return rights


def _version() -> str:
    return str(import_module("memspan").__version__)


def _told(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=tool.reads,
        destructive_hint=tool.destroys,
        idempotent_hint=tool.repeats,
        open_world_hint=False,
    )
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.takes,
        output_schema=tool.gives,
        annotations=hints,
    )


def _arguments(prompt: prompts.Prompt) -> list[types.PromptArgument]:
    needs = prompt.takes["required"]
    return [
        types.PromptArgument(name=name, description=part["description"], required=name in needs)
        for name, part in prompt.takes["properties"].items()
    ]


def _text(said: str) -> types.TextContent:
    return types.TextContent(type="text", text=said)


def _failed(why: str) -> types.CallToolResult:
    return types.CallToolResult(content=[_text(why)], is_error=True)


def _where(why: BaseException) -> str:
    """The kind of a mistake and its place; its message may hold what was remembered."""
    where = why.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "nowhere"
    return f"{type(why).__name__} at {place}"
