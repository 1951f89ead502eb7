"""server.py PORT-FILE LOG: a web server for the http example.

/page    a text with a strong ETag, made of its content; PUT replaces it
/plain   a text without an ETag
/echo    POST: what was sent, and the header X-From
/flaky   503 the first time, then a text
/slow    never ends within a minute
Each request is a line "METHOD PATH" in LOG."""
import hashlib
import http.server
import pathlib
import sys
import time

PAGE = [b"first edition\n"]
FLAKY = []


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        with open(sys.argv[2], "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")

    def answer(self, body, code=200, etag=None):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/page":
            self.answer(PAGE[0], etag='"' + hashlib.sha256(PAGE[0]).hexdigest() + '"')
        elif self.path == "/plain":
            self.answer(b"plain\n")
        elif self.path == "/flaky":
            FLAKY.append(1)
            self.answer(b"at last\n" if len(FLAKY) > 1 else b"", 200 if len(FLAKY) > 1 else 503)
        elif self.path == "/slow":
            time.sleep(60)
        else:
            self.answer(b"nothing here\n", 404)

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer(body + b" from " + self.headers.get("X-From", "nobody").encode() + b"\n")

    def do_PUT(self):
        PAGE[0] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
pathlib.Path(sys.argv[1] + ".new").write_text(str(server.server_address[1]))
pathlib.Path(sys.argv[1] + ".new").rename(sys.argv[1])
server.serve_forever()
