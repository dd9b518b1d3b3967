"""A client in an agent's place, with the package websockets: connects, pings, prints the type of what comes, and acks commands."""

import asyncio
import json
import os

import websockets

SECRET = os.environ["EDGE_SECRET"]
AGENT_ID = os.environ["EDGE_AGENT_ID"]
URI = f"{os.environ['BACKEND_URL']}/edge/ws?edge_agent_id={AGENT_ID}"
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Edge-Agent-Id": AGENT_ID}
# Renamed in version 14 of the package.
OPTION = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"


async def main():
    async with websockets.connect(URI, **{OPTION: HEADERS}) as socket:
        await socket.send(json.dumps({"type": "ping"}))
        async for message in socket:
            frame = json.loads(message)
            print(frame["type"], flush=True)
            if frame["type"] == "command":
                ack = {"command_id": frame["payload"]["command_id"], "status": "completed"}
                await socket.send(json.dumps({"type": "command_ack", "data": ack}))


asyncio.run(main())
