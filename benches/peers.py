"""Other servers, for benchmarks that compare: each runs in a directory of its own, on a free port of a loopback address."""

import pathlib
import socket
import subprocess
import tempfile

import daemon

KNOT = """
server:
  rundir: {directory}/run
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: error
database:
  storage: {directory}/state
template:
  - id: default
    storage: {directory}/zones
    journal-content: none
zone:
  - domain: gtm.example
    file: gtm.example
"""
NSD = """
server:
  server-count: 1
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: {directory}/zones
  pidfile: {directory}/run/nsd.pid
  xfrdfile: {directory}/state/xfrd
  zonelistfile: {directory}/state/zones
  rrl-ratelimit: 0
  tcp-count: 200
remote-control:
  control-enable: no
zone:
  name: gtm.example
  zonefile: gtm.example
"""


class Peer:
    """Another server, as its configuration in a directory of its own says; ends with the block."""

    def __init__(self, files, command, **how):
        self.directory = tempfile.TemporaryDirectory(prefix="farol-bench-")
        path = pathlib.Path(self.directory.name)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.host, self.port = free.getsockname()
        for name in ["run", "state", "zones"]:
            (path / name).mkdir()
        for name, text in files(path, self.port).items():
            (path / name).write_text(text)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command(path), start_new_session=True, **quiet, **how)

    def resident_bytes(self, most=False):
        """As daemon.Daemon tells it."""
        return daemon.resident_bytes(self.process.pid, most)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


def gdnsd(config, records, **how):
    """gdnsd with this configuration, whose `{port}` and `{directory}` are filled in, and these records in the zone."""

    def files(path, port):
        return {"config": config.format(directory=path, port=port), "zones/gtm.example": daemon.ZONE + records}

    return Peer(files, lambda path: ["gdnsd", "-c", path, "start"], **how)


def knot(records, **how):
    """Knot with these records in the zone, one thread for each transport."""

    def files(path, port):
        return {"knot.conf": KNOT.format(directory=path, port=port), "zones/gtm.example": daemon.ZONE + records}

    return Peer(files, lambda path: ["knotd", "-c", path / "knot.conf"], **how)


def nsd(records, **how):
    """NSD with these records in the zone, one server process, no rate limit."""

    def files(path, port):
        zone = "$ORIGIN gtm.example.\n" + daemon.ZONE + records
        return {"nsd.conf": NSD.format(directory=path, port=port), "zones/gtm.example": zone}

    return Peer(files, lambda path: ["nsd", "-d", "-c", path / "nsd.conf"], **how)
