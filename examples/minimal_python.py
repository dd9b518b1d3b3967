"""A backend for edge-agent on Python's standard library: EDGE_SECRET=... PORT=8787 python3 examples/minimal_python.py

It says back what it is told. All lives in memory: a real one keeps it in a database, and answers a ping after that. HTTP
and WebSocket (RFC 6455) are written out below, so that nothing has to be installed; use a library for yours.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import struct
import sys
import time
import urllib.parse
import uuid

SECRET = os.environ["EDGE_SECRET"]
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LIMIT = 16 * 1024 * 1024

sockets = {}  # agent id -> its one live socket
waiting = {}  # agent id -> { command id: command that is not acked }
replies = {}  # (agent id, message guid) -> the reply that was given
events = {}  # event id -> what happened on the Mac, each once


def judge(authorization, agent_id):
    """P1: base64("<agent id>:<phone>:<seconds>:<hmac>"). Returns 200, or a status to refuse with, of which it says why."""

    def refuse(status, why):
        print(f"refused {agent_id or 'somebody without X-Edge-Agent-Id'}: {why}", file=sys.stderr)
        return status

    bearer = re.fullmatch(r"Bearer (\S+)", authorization or "")
    if bearer is None:
        return refuse(401, "no Authorization: Bearer header")
    try:
        token = base64.b64decode(bearer[1]).decode()
    except ValueError:
        token = ""
    parts = re.fullmatch(r"((.+):[^:]*:(\d+)):([0-9a-f]{64})", token)
    if parts is None:
        return refuse(403, 'the token is not a signed one (is auth.mode "secret"?)')
    if parts[2] != agent_id:
        return refuse(403, f"the token is for {parts[2]}")
    if abs(time.time() - int(parts[3])) > 86_400:
        return refuse(403, "the token is of another day: are both clocks right?")
    right = hmac.new(SECRET.encode(), parts[1].encode(), hashlib.sha256).hexdigest()
    if hmac.compare_digest(right, parts[4]):
        return 200
    return refuse(403, "it is not signed with our EDGE_SECRET")


def push(agent_id, payload):
    """P3.5: kept until it is acked, and sent at once where a socket is up."""
    command = {
        "command_id": f"cmd_{uuid.uuid4().hex}",
        "command_type": "send_message_now",
        "payload": payload,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    waiting.setdefault(agent_id, {})[command["command_id"]] = command
    if agent_id in sockets:
        sockets[agent_id].send({"type": "command", "data": command})
    return {"success": True, "command_id": command["command_id"], "instant": agent_id in sockets}


def take_ack(agent_id, ack):
    waiting.get(agent_id, {}).pop(ack["command_id"], None)
    return {"success": True}


def take_event(event):
    events[event["event_id"]] = event


def register(_agent_id, body):
    return {"edge_agent_id": "edge_" + body["user_phone"].lstrip("+").lower(), "accepts": ["event"]}


def sync(agent_id, body):
    acks = body.get("command_acks", [])
    for ack in acks:
        take_ack(agent_id, ack)
    happened = body.get("pending_events", [])
    for event in happened:
        take_event(event)
    return {
        "commands": list(waiting.get(agent_id, {}).values()),
        "ack_events": [event["event_id"] for event in happened],
        "ack_commands": [ack["command_id"] for ack in acks],
    }


def answer(agent_id, message):
    """P7: each guid is answered once; the reflex goes ahead over the socket of the agent that asks.

    Messages come in the order of their `sequence`; none waits for a number that is missing (P7.6), or for the answer to
    another one (P7.7).
    """
    key = (agent_id, message["message_guid"])
    if key not in replies:
        if agent_id in sockets:
            reflex = {"thread_id": message["thread_id"], "text": "one sec", "bubble_type": "reflex"}
            push(agent_id, {**reflex, "in_reply_to": message["message_guid"]})
        bubbles = ["one sec", f"you said: {message['filtered_text']}"]
        replies[key] = {"should_respond": True, "reply_bubbles": bubbles}
    return replies[key]


def send_message(_agent_id, body):
    return push(body["edge_agent_id"], {"thread_id": body["thread_id"], "text": body["message"]})


ENDPOINTS = {
    "/edge/register": register,
    "/edge/sync": sync,
    "/edge/message": answer,
    "/edge/command/ack": take_ack,
    "/photo/upload": lambda _agent_id, _body: {"success": True},
    "/api/send-message": send_message,
}


class Socket:
    """One WebSocket, as RFC 6455 has it: text frames, pings and the close."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.closing = reader, writer, False

    def write(self, opcode, payload):
        size = len(payload)
        short = size if size < 126 else 126 if size < 65_536 else 127
        longer = {126: struct.pack("!H", size % 65_536), 127: struct.pack("!Q", size)}.get(short, b"")
        self.writer.write(bytes([0x80 | opcode, short]) + longer + payload)

    def send(self, frame):
        self.write(1, json.dumps(frame).encode())

    def close(self, code):
        if not self.closing:
            self.closing = True
            self.write(8, struct.pack("!H", code))

    async def texts(self):
        """Every text until the other side closes. A text may come in several frames."""
        text = b""
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            if size > LIMIT or not second & 128:
                self.close(1009 if second & 128 else 1002)
                return
            mask = await self.reader.readexactly(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(await self.reader.readexactly(size)))
            opcode = first & 15
            if opcode == 8:
                self.close(1000)
                return
            if opcode == 9:
                self.write(10, data)
            if opcode in (0, 1):
                text += data
                if first & 128:
                    yield text.decode()
                    text = b""

    def take(self, agent_id, frame):
        if frame["type"] == "ping":
            self.send({"type": "pong"})
        elif frame["type"] == "command_ack":
            take_ack(agent_id, frame["data"])
        elif frame["type"] == "event":
            take_event(frame["data"])

    async def live(self, agent_id):
        if agent_id in sockets:
            sockets[agent_id].close(4409)
        sockets[agent_id] = self
        try:
            self.send({"type": "connected", "data": {"accepts": ["event"]}})
            for command in list(waiting.get(agent_id, {}).values()):
                self.send({"type": "command", "data": command})
            async for text in self.texts():
                try:
                    self.take(agent_id, json.loads(text))
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    print(f"not understood: {error!r}", file=sys.stderr)
        finally:
            # The late end of a socket that was replaced must not lose its successor.
            if sockets.get(agent_id) is self:
                del sockets[agent_id]


async def upgrade(reader, writer, url, headers):
    key = hashlib.sha1((headers["sec-websocket-key"] + MAGIC).encode()).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n\r\n"
    )
    socket = Socket(reader, writer)
    agent_id = urllib.parse.parse_qs(url.query).get("edge_agent_id", [""])[0]
    status = judge(headers.get("authorization"), agent_id)
    if status == 200 and headers.get("x-edge-agent-id") == agent_id:
        return await socket.live(agent_id)
    socket.close(4001 if status == 401 else 1008)
    await writer.drain()


def respond(path, headers, body):
    """The status and the JSON of an answer."""
    if path == "/edge/ws":
        return 426, {"error": "connect with a WebSocket"}
    if path not in ENDPOINTS:
        return 404, {"error": "no such endpoint"}
    authorization, agent_id = headers.get("authorization"), headers.get("x-edge-agent-id")
    if path == "/api/send-message":
        status = 200 if hmac.compare_digest((authorization or "").encode(), f"Bearer {SECRET}".encode()) else 401
    else:
        status = judge(authorization, agent_id)
    if status != 200:
        return status, {"error": "refused"}
    try:
        asked = {} if path == "/photo/upload" else json.loads(body or b"{}")
        return 200, ENDPOINTS[path](agent_id, asked)
    except (ValueError, KeyError, TypeError) as error:
        return 400, {"error": repr(error)}


async def serve(reader, writer):
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        url = urllib.parse.urlsplit(lines[0].split(" ")[1])
        pairs = [line.split(":", 1) for line in lines[1:] if ":" in line]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        if url.path == "/edge/ws" and headers.get("upgrade", "").lower() == "websocket":
            return await upgrade(reader, writer, url, headers)
        size = int(headers.get("content-length", 0))
        body = await reader.readexactly(size) if size <= LIMIT else b""
        status, answer_body = (413, {"error": "too large"}) if size > LIMIT else respond(url.path, headers, body)
        data = json.dumps(answer_body).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + data)
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError, KeyError):
        pass  # The other side is gone, or speaks something else: there is nobody to tell.
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ.get("PORT", "8787")))
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
