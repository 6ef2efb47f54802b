"""A headless Chromium, driven over its DevTools protocol by nothing more than a websocket.

Waits are for conditions, each with a limit; every request of the pages, their workers and the browser itself is kept.
"""

import base64
import functools
import http.server
import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
         "--disable-dev-shm-usage", "--disable-extensions", "--no-default-browser-check", "--metrics-recording-only",
         "--disable-features=AutofillServerCommunication,MediaRouter,OptimizationHints,Translate",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",       # nothing leaves, whoever asks for it
         "--window-size=1200,1000", "--remote-debugging-port=0")
LOCAL = {"127.0.0.1", "localhost"}
INSIDE = {"data", "blob", "about", "chrome", "chrome-extension", "chrome-untrusted", "devtools"}
"""Schemes that ask nobody."""

POLL = 0.1
"""Seconds between two looks at a page; meanwhile its events are read."""


def chromium():
    """Return the path of a Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for found in map(shutil.which, names) if found), None)


class Server:
    """Gives out a folder on 127.0.0.1, at a port that is free.

    Attributes:
        url: of the folder, with a slash at its end.
        failed: (path, status) of what it could not give.
    """

    def __init__(self, folder):
        self.failed = failed = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".wasm": "application/wasm",
                              ".js": "text/javascript", ".mjs": "text/javascript"}

            def log_message(self, *_):
                pass

            def send_error(self, code, *rest, **more):
                failed.append((self.path, code))
                super().send_error(code, *rest, **more)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      functools.partial(Handler, directory=str(folder)))
        self.server.handle_error = lambda *_: None      # a browser that goes away in the midst of a file is no error
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Browser:
    """One page in a new, empty profile.

    Args:
        folder: for the profile and logs; must exist.

    Attributes:
        errors: lines that pages wrote to the console as errors, and errors that nobody caught.
        lost: (URL, reason) of requests that failed.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.log = self.folder / "net-log.json"
        self.errors, self.lost, self.asked, self.answers, self.count = [], [], {}, {}, 0

    def __enter__(self):
        from websocket import create_connection

        profile = self.folder / "profile"
        with open(self.folder / "chromium.txt", "w") as said:
            self.process = subprocess.Popen(
                [chromium(), *FLAGS, f"--user-data-dir={profile}", f"--log-net-log={self.log}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        try:
            port = profile / "DevToolsActivePort"
            until(lambda: port.exists() and port.read_text().count("\n"), 30, "Chromium listens", self.process)
            address = f"http://127.0.0.1:{port.read_text().split()[0]}/json/list"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

            def pages():
                with opener.open(address, timeout=10) as answer:
                    return [t for t in json.load(answer) if t["type"] == "page"]

            (page, *_) = until(pages, 30, "Chromium has a page", self.process)
            self.socket = create_connection(page["webSocketDebuggerUrl"], timeout=60, suppress_origin=True,
                                            http_no_proxy=["*"])
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.command(f"{domain}.enable")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *_):
        with suppress(Exception):                       # it closes the connection, perhaps before it answers
            self.command("Browser.close")
        with suppress(Exception):
            self.socket.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # ------------------------------------------------------------------------------------- the protocol

    def command(self, method, **params):
        """Send a command and return its result, having read the events before it."""
        self.count += 1
        number = self.count
        self.socket.settimeout(60)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while number not in self.answers:
            self.read()
        answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def read(self):
        """Read one message."""
        message = json.loads(self.socket.recv())
        if "id" in message:
            self.answers[message["id"]] = message
            return
        kind, about = message["method"], message["params"]
        if kind == "Page.javascriptDialogOpening":          # "leave without saving?"; the answer is not waited for
            self.count += 1
            self.socket.send(json.dumps({"id": self.count, "method": "Page.handleJavaScriptDialog",
                                         "params": {"accept": True}}))
        elif kind == "Network.requestWillBeSent":
            self.asked[about["requestId"]] = about["request"]["url"]
        elif kind == "Network.loadingFailed" and not about.get("canceled"):
            self.lost.append((self.asked.get(about["requestId"], "?"), about["errorText"]))
        elif kind == "Runtime.consoleAPICalled" and about["type"] == "error":
            self.errors.append(" ".join(str(a.get("value", a.get("description", ""))) for a in about["args"]))
        elif kind == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif kind == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")

    def pause(self, seconds):
        """Read events for so long."""
        from websocket import WebSocketTimeoutException

        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with suppress(WebSocketTimeoutException):
                self.read()

    # ------------------------------------------------------------------------------------- a page

    def open(self, url):
        """Go to a page; returns when the browser has begun."""
        self.command("Page.navigate", url=url)

    def ask(self, script):
        """Return the value of an expression in JavaScript; of a promise, what it promises."""
        answer = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wait(self, script, seconds, what):
        """Wait until an expression holds, and return its value.

        Raises:
            TimeoutError: after so many seconds; it says what was waited for, and what the console said.
        """
        def look():
            with suppress(RuntimeError):                # the page is being replaced
                return self.ask(script)

        try:
            return until(look, seconds, what, self.process, self.pause)
        except TimeoutError as error:
            raise TimeoutError("\n".join([str(error), *self.errors[-10:]])) from None

    def find(self, script, seconds, what):
        """Return where the middle of an element is, when it stands still and nothing is before it."""
        look = f"""(() => {{
            const element = {script};
            if (!element) return null;
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
            return element.contains(document.elementFromPoint(x, y)) ? {{x, y}} : null;
        }})()"""
        end, before = time.monotonic() + seconds, None
        while (spot := self.wait(look, seconds, what)) != before:
            if time.monotonic() > end:
                raise TimeoutError(f"it does not stand still: {what}")
            before = spot
            self.pause(POLL)
        return spot

    def mouse(self, kind, x, y):
        """Press, move or release the left button of the mouse."""
        self.command("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, button="left", clickCount=1,
                     buttons=0 if kind == "Released" else 1)

    def click(self, script, seconds, what):
        """Click into the middle of an element, when it can be seen."""
        self.drag(script, 0, seconds, what)

    def drag(self, script, right, seconds, what):
        """Drag an element so many pixels to the right, when it can be seen."""
        spot = self.find(script, seconds, what)
        self.command("Input.dispatchMouseEvent", type="mouseMoved", **spot)
        self.mouse("Pressed", **spot)
        if right:
            spot["x"] += right
            self.mouse("Moved", **spot)
        self.mouse("Released", **spot)

    def press(self, key, code):
        """Press and release a key, of this name and number."""
        for kind in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path):
        """Save what the page shows as PNG."""
        Path(path).write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))


def until(condition, seconds, what, process, pause=time.sleep):
    """Return what a condition gives as soon as that is true.

    Raises:
        TimeoutError: if it is not in time, or the process has ended.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        if process.poll() is not None:
            raise TimeoutError(f"the browser has ended (status {process.returncode}) before: {what}")
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain: {what}")
        pause(POLL)
    return found


def requests(log):
    """Return the URLs that pages and their workers asked for, by the log of the browser's network.

    Left out is what the browser asks for itself, on behalf of no page: updates, the time.
    """
    text = Path(log).read_text(encoding="utf-8")
    try:
        logged = json.loads(text)
    except ValueError:                      # it was killed before it wrote the end
        logged = json.loads(text[:text.rindex("},") + 1] + "]}")
    start = logged["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event.get("params", {}) for event in logged["events"] if event["type"] == start]
    return [about["url"] for about in asked if "url" in about and (
            about.get("initiator") != "not an origin" or "127.0.0.1" in about.get("network_isolation_key", ""))]


def outside(urls):
    """Return those that are not for this machine."""
    parts = [(url, urllib.parse.urlsplit(url)) for url in urls]
    return sorted({url for url, p in parts if p.scheme not in INSIDE and p.hostname not in LOCAL})
