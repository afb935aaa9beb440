"""Runs the release build of the daemon on loopback addresses, for benchmarks."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/farol"
HEAD = """
[server]
listen = ["127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[state]
dir = "state"
[[zone]]
name = "gtm.example."
file = "gtm.zone"
[monitor.none]
protocol = "none"
"""
ZONE = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.53\n"


def build():
    """Brings the release build up to date."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--workspace", "--quiet"], cwd=ROOT, check=True)


def demand(what, value, most):
    """Ends with an error if a figure is worse than it may be."""
    if value > most:
        raise SystemExit(f"{what}: {value:.3g}, and at most {most:g} was wanted")


def wait_for(condition, problem):
    """Waits until something holds; ends with the problem if it doesn't."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(problem)
        time.sleep(0.05)


def address(number):
    """An address of its own for each number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def resident_bytes(process, most=False):
    """The memory that a process has in RAM, or the most that it has had."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:" if most else "VmRSS:")[1].split()[0]) * 1024


def profile(name, method, endpoints, first=0):
    """A profile with so many endpoints that aren't probed; the first ones weigh more."""
    lines = [f'[[profile]]\nname = "{name}.gtm.example."\nmethod = "{method}"\nmonitor = "none"']
    for number in range(endpoints):
        target = address(first + number)
        weight = (endpoints - number) * 10
        lines.append(f'[[profile.endpoint]]\nname = "e{number}"\ntarget = "{target}"\nweight = {weight}')
    return "\n".join(lines) + "\n"


def profiles(count):
    """So many profiles, p0 and on, of three endpoints each."""
    return "".join(profile(f"p{number}", "weighted", 3, number * 4) for number in range(count))


def query(name, options=None):
    """A query for A in wire format, with recursion desired, as stub resolvers send it; with EDNS where there are options."""
    labels = b"".join(bytes([len(it)]) + it.encode() for it in name.rstrip(".").split("."))
    edns = b"" if options is None else bytes([0, 0, 41, 4, 208, 0, 0, 0, 0]) + len(options).to_bytes(2, "big") + options
    return bytes([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, bool(edns)]) + labels + bytes([0, 0, 1, 0, 1]) + edns


def cpu_times(session):
    """User and system seconds that all processes of a session have used."""
    total = [0, 0]
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            total = [all + int(own) for all, own in zip(total, fields[11:13])]
    return [it / os.sysconf("SC_CLK_TCK") for it in total]


def first_answer(server, name):
    """Asks until there is an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.02)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                client.sendto(query(name), (server.host, server.port))
                answer = client.recv(1500)
                break
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.01)
        else:
            raise TimeoutError
    assert answer[3] & 15 == 0 and answer[7] == 1, answer


class Daemon:
    """A daemon that answers, with further keys of [server]; ends with the block."""

    def __init__(self, profiles, static="", server="", **how):
        self.head = HEAD.replace("[server]", f"[server]\n{server}")
        self.directory = tempfile.TemporaryDirectory(prefix="farol-bench-")
        self.path = pathlib.Path(self.directory.name)
        (self.path / "gtm.zone").write_text(ZONE + static)
        self.write(profiles)
        command = [PROGRAM, "serve", "--no-watch", "--log-format", "json", "--config", self.path / "farol.toml"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, **how)
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {"message": line}
            if event.get("event") == "started":
                self.host, port = event["dns"].rsplit(":", 1)
                self.port = int(port)
                self.admin = event["admin"]
                # A full pipe would stop the daemon.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise SystemExit(f"the daemon did not start: {event['message'][:500]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()

    def write(self, profiles):
        """Puts other profiles into the configuration file."""
        new = self.path / "farol.toml~"
        new.write_text(self.head + profiles)
        new.rename(self.path / "farol.toml")

    def reload(self, profiles):
        """Puts other profiles in the place of those that it has; gives what that changed."""
        self.write(profiles)
        return self.request("POST", "/v1/reload", b"")

    def get(self, path):
        """What the API has at this path."""
        return self.request("GET", path)

    def request(self, method, path, body=None):
        """What the API answers to this."""
        token = (self.path / "state/admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://{self.admin}{path}", body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def metrics(self, prefix=""):
        """The series of /metrics that begin so, by name and labels."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics") as answer:
            lines = (it.decode() for it in answer if it.startswith(prefix.encode()) and not it.startswith(b"#"))
            return {series: float(value) for series, value in (it.rsplit(" ", 1) for it in lines)}

    def cpu_seconds(self):
        """User and system time that the process has used."""
        return sum(cpu_times(self.process.pid))

    def resident_bytes(self, most=False):
        """The memory that the process has in RAM, or the most that it has had."""
        return resident_bytes(self.process.pid, most)
