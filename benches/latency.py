"""What queries notice of something that the daemon does meanwhile: latencies under dnsperf with it and without, in turns."""

import re
import statistics
import subprocess
import threading
import time

import daemon


def arguments(parser, seconds):
    """The flags that all of these have."""
    parser.add_argument("--rate", type=int, default=20_000, help="queries per second (20000)")
    parser.add_argument("--seconds", type=int, default=seconds, help=f"for each run ({seconds})")
    parser.add_argument("--runs", type=int, default=3, help="of each kind (3)")


class Load:
    """dnsperf at a steady rate for a while."""

    def __init__(self, server, queries, options, flags):
        command = ["dnsperf", "-s", server.host, "-p", str(server.port), "-d", queries, "-e", "-v", *flags]
        command += ["-l", str(options.seconds), "-Q", str(options.rate), "-c", "8", "-T", "1", "-q", "1000"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def goes_on(self):
        """Whether it still asks."""
        return self.process.poll() is None

    def latencies(self):
        """In milliseconds, sorted; and how many queries were lost."""
        output, _ = self.process.communicate()
        lost = int(re.search(r"Queries lost:\s+(\d+)", output).group(1))
        return sorted(float(it) * 1000 for it in re.findall(r"^> \S+ \S+ \S+ ([0-9.]+)$", output, re.M)), lost


def percentile(values, share):
    return values[min(int(len(values) * share), len(values) - 1)]


def disturb_during(load, disturb, times):
    while load.goes_on():
        times.append(disturb())


def compare(server, names, options, disturbances, flags=()):
    """Asks for these names in turns: with nothing else, and with each of these going on. Each returns after every time that it did what
    it does, and says how many seconds that took. Gives each one's p99 by that of nothing else."""
    queries = server.path / "queries"
    queries.write_text("".join(f"{name}.gtm.example. A\n" for name in names))
    kinds = {"idle": None, **disturbances}
    p99 = {kind: [] for kind in kinds}
    print(f"{'':<12}{'p50 ms':>10}{'p99 ms':>10}{'p99.9 ms':>10}{'worst ms':>10}{'lost':>8}{'times':>10}{'each ms':>10}")
    for kind, disturb in list(kinds.items()) * options.runs:
        load, times = Load(server, queries, options, flags), []
        thread = threading.Thread(target=disturb_during, args=(load, disturb, times))
        if disturb:
            thread.start()
        latencies, lost = load.latencies()
        if disturb:
            thread.join()
        p99[kind].append(percentile(latencies, 0.99))
        each = statistics.median(times) * 1000 if times else 0
        print(
            f"{kind:<12}{percentile(latencies, 0.5):>10.3f}{p99[kind][-1]:>10.3f}{percentile(latencies, 0.999):>10.3f}"
            f"{latencies[-1]:>10.2f}{lost:>8}{len(times):>10}{each:>10.0f}"
        )
    medians = {kind: statistics.median(it) for kind, it in p99.items()}
    ratios = {kind: medians[kind] / medians["idle"] for kind in disturbances}
    print("p99 by that of idle (medians): " + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios.items()))
    return ratios


def busy():
    """A core that somebody else is busy on, as much in the background as the daemon's own loading."""
    started = time.monotonic()
    subprocess.run(["nice", "-n", "5", "timeout", "1", "sh", "-c", "while :; do :; done"])
    return time.monotonic() - started
