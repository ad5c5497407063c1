"""A bare grpcio server whose generic handler answers ``/floor/N`` with N bytes: ``grpc_floor.py PORT``."""

import asyncio
import sys

import grpc


class Floor(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._handlers = {}

    def service(self, details):
        found = self._handlers.get(details.method)
        if found is None:
            canned = bytes(int(details.method.rpartition("/")[2]))

            async def answer(request, context):
                return canned

            found = self._handlers[details.method] = grpc.unary_unary_rpc_method_handler(answer)
        return found


async def main(port: int) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Floor(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
