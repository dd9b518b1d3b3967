"""A bot behind the gateway: WEBHOOK_SECRET=whsec_... PORT=3000 python3 examples/bot.py (the standard library alone).

The gateway posts events here, signed as Standard Webhooks has it. What is answered to message.received is sent to the person.
An event may come again, with the same webhook-id: whatever else you do with it, do it once for each id.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


def is_genuine(headers, body):
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isascii() or not sent_at.isdigit() or abs(time.time() - int(sent_at)) >= 300:
        return False  # else anyone who saw it once could send it again
    signed = f"{headers.get('webhook-id')}.{sent_at}.".encode() + body
    right = b"v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256))
    given = headers.get("webhook-signature", "").encode().split()  # several: it is being rotated
    return any(hmac.compare_digest(one, right) for one in given)


def answer(event):
    if event["type"] != "message.received":
        return {}
    return {"reflex": "one sec", "bubbles": ["you said: " + event["data"]["message"]["filtered_text"]]}


class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        genuine = is_genuine(self.headers, body)
        reply = json.dumps(answer(json.loads(body))).encode() if genuine else b""
        self.send_response(200 if genuine else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):  # a line a request says nothing
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "3000"))), Bot)
    print(f"listening on http://{server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()
