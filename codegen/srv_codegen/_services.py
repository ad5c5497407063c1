"""IR -> grpclib service bases and client stubs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codegen._module import Module, docstring

if TYPE_CHECKING:
    from srv_codegen._ir import File, Service

_CLIENT_METHODS: Final = {
    "UNARY_UNARY": "UnaryUnaryMethod",
    "UNARY_STREAM": "UnaryStreamMethod",
    "STREAM_UNARY": "StreamUnaryMethod",
    "STREAM_STREAM": "StreamStreamMethod",
}


def render_services(file: File, tools: str) -> Module | None:
    """Return the module with the services of a file, or ``None`` when it has none."""
    if not file.services:
        return None
    module = Module(f"{file.module}_grpc", file.path, tools)
    module.document(f"gRPC services of {file.path}, for grpclib.")
    for service in file.services:
        _base(module, service)
        _stub(module, service)
    return module


def _base(module: Module, service: Service) -> None:
    handler = module.use("grpclib.const", "Handler")
    cardinality = module.use("grpclib.const", "Cardinality")
    error = module.use("grpclib.exceptions", "GRPCError")
    status = module.use("grpclib.const", "Status")
    stream = module.use("grpclib.server", "Stream", typing_only=True)
    name = f"{service.name}Base"
    module.export(name)
    module.add("", "", f"class {name}:")
    module.add(f'    """Server side of ``{service.proto_name}``; a call that is not overridden is UNIMPLEMENTED."""')
    for method in service.methods:
        types = f"{module.use_class(method.request)}, {module.use_class(method.reply)}"
        module.add("", f'    async def {method.name}(self, stream: "{stream}[{types}]") -> None:')
        module.add(*docstring(method.doc, "        "))
        module.add(f'        raise {error}({status}.UNIMPLEMENTED, "{method.name} is not served by this server")')
    module.add("", f"    def __mapping__(self) -> dict[str, {handler}]:")
    module.add('        """Return the handlers by path, as grpclib asks."""', "        return {")
    for method in service.methods:
        types = f"{method.request.name}, {method.reply.name}"
        module.add(
            f'            "{method.path}": {handler}(self.{method.name}, {cardinality}.{method.cardinality}, {types}),'
        )
    module.add("        }")


def _stub(module: Module, service: Service) -> None:
    channel = module.use("grpclib.client", "Channel", typing_only=True)
    name = f"{service.name}Stub"
    module.export(name)
    module.add("", "", f"class {name}:", f'    """Client side of ``{service.proto_name}``."""')
    module.add("", f'    def __init__(self, channel: "{channel}") -> None:')
    for method in service.methods:
        factory = module.use("grpclib.client", _CLIENT_METHODS[method.cardinality])
        types = f"{method.request.name}, {method.reply.name}"
        module.add(f'        self.{method.name} = {factory}(channel, "{method.path}", {types})')
