"""Show the built book on a free loopback port: python -m book.serve"""

import functools
import http.server
import sys
import threading

from book.build import HTML


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Keep the terminal for the address."""


def start(folder=HTML):
    """Serve `folder` in a thread; return the server and its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    # Port 0: the system picks a free one.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def main():
    if not (HTML / "index.html").exists():
        print("serve: there is no built book yet; run: make book")
        return 1
    server, address = start()
    print(f"serve: {address}/index.html (end with Ctrl+C)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
