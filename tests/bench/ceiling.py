"""The ceiling: the same requests by requests' bare adapter, with nothing looked up, claimed or written down."""

import multiprocessing
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.synchronize import Barrier

from requests import PreparedRequest
from requests.adapters import HTTPAdapter

THREADS = (1, 2, 4, 16)
SECONDS = 2.0
ROUNDS = 3


def ceiling(url: str, body: bytes, processes: int) -> float:
    """Requests a second that so many processes get answered: the best of several numbers of threads in each."""
    return max(statistics.median(speed(url, body, processes, threads) for _ in range(ROUNDS)) for threads in THREADS)


def speed(url: str, body: bytes, processes: int, threads: int) -> float:
    """Requests a second with so many threads in each process."""
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(processes), context.Queue()
    crew = [context.Process(target=work, args=(url, body, threads, barrier, counts)) for _ in range(processes)]
    for process in crew:
        process.start()
    found = sum(counts.get(timeout=60) for _ in crew)
    for process in crew:
        process.join()
    return found


def work(url: str, body: bytes, threads: int, barrier: Barrier, counts: "multiprocessing.Queue[float]") -> None:
    """One process: all threads send for a while, once all processes are there."""
    with ThreadPoolExecutor(threads) as crew:
        barrier.wait()
        began = time.monotonic()
        sent = sum(crew.map(lambda _: send(url, body, began + SECONDS), range(threads)))
        counts.put(sent / (time.monotonic() - began))


def send(url: str, body: bytes, until: float) -> int:
    """Send over one connection until then; returns how many were answered well."""
    request = PreparedRequest()
    request.prepare("POST", url, {"content-type": "application/json", "webhook-id": "bare"}, data=body)
    count = 0
    with closing(HTTPAdapter()) as adapter:
        while time.monotonic() < until:
            response = adapter.send(request, stream=True, timeout=(5, 15))
            response.raw.read()
            count += response.ok
    return count
