"""A node that serves the page and answers its questions with numbers that move, as the admin plane does."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from s3proxy.admin import dashboard

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
INTERVAL = 5
POINTS = 720
BLOCK_SIZE = 4 * MIB
HOSTILE_KEY = "img/<img src=x onerror=\"document.title='taken'\">.png"
OVERRIDING_KEY = "img/\u202egnp.exe\n"


def _now() -> float:
    return time.time_ns() / 1e9


@dataclass(slots=True)
class FakeNode:
    """What the node says; tests change it while the page looks on."""

    url: str = ""
    token: str = ""
    is_gone: bool = False
    is_ready: bool = True
    reason: str | None = None
    is_new: bool = False
    """Nothing has happened yet."""
    lost_processes: dict[str, int] = field(default_factory=lambda: {"died": 0, "hung": 0})
    load: float = 1.0
    """All rates are this many times the usual."""
    blocks: list[list[int]] = field(default_factory=lambda: blocks_of(240))
    size: int | None = None
    refusals: dict[str, str] = field(default_factory=dict)
    """By path, endpoints that answer 503 with these words."""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, str]) -> dict[str, object] | None:
        """The JSON of an endpoint, or None where there is none."""
        match path:
            case "/status":
                return self._status()
            case "/history":
                return self._history()
            case "/buckets":
                names = {"warehouse": True, "models": True, "logs": True, "scratch": False}
                return {
                    "buckets": [{"name": name, "is_cached": cached} for name, cached in names.items()],
                    "is_truncated": False,
                }
            case "/objects":
                return _objects(query)
            case "/blocks":
                size = len(self.blocks) * BLOCK_SIZE if self.size is None else self.size
                name = {"bucket": query["bucket"], "key": query["key"]}
                told = {"size": size, "etag": "9b2cf5", "block_size": BLOCK_SIZE, "blocks": self.blocks}
                return name | told | {"is_truncated": len(self.blocks) * BLOCK_SIZE < size}
        return None

    def _history(self) -> dict[str, object]:
        now = _now()
        count = 0 if self.is_new else POINTS
        at = [now - INTERVAL * (count - 1 - index) for index in range(count)]
        rows = [_moment(each, self.load if each > now - 60 else 1.0) for each in at]
        names = list(_moment(0, 1))
        return {"interval_seconds": INTERVAL, "at": at, "series": {name: [row[name] for row in rows] for name in names}}

    def _status(self) -> dict[str, object]:
        now = _now()
        figures = _moment(now, self.load)
        workers = [
            {
                "number": number,
                "pid": 4100 + number,
                "is_ready": True,
                "rss_bytes": (212 + 9 * number) * MIB,
                "cpu_seconds": now * 0.31 * (1 + number % 3),
                "descriptors": 318 + 11 * number,
            }
            for number in range(4)
        ]
        node = {
            "version": "0.4.0",
            "host": "cache-07.example.com",
            "started_at": now - 9 * 86_400 - 4 * 3_600,
            "listen": ["0.0.0.0:39999"],
            "is_ready": self.is_ready,
            "reason": self.reason,
            "workers": workers,
            "lost_processes": self.lost_processes,
        }
        cache = {"is_on": True, "hits": 0, "misses": 0, "tiers": _tiers(is_new=self.is_new)}
        if not self.is_new:
            cache |= {"hits": 18_204_551, "misses": 1_122_043}
        served = {"memory": 612, "disk": 204, "store": 61, "local": 18, "sent": 895, "received": 77}
        return {
            "node": node,
            "requests": {
                "total": 0 if self.is_new else 19_326_594 + int(now) % 100_000,
                "in_flight": 0 if self.is_new else 23 + int(now) % 9,
                "errors_4xx": 0 if self.is_new else 3_180,
                "errors_5xx": 0 if self.is_new else 12,
                "by_operation": {} if self.is_new else _operations(),
            },
            "bytes": {name: 0 if self.is_new else amount * GIB * 10 for name, amount in served.items()},
            "cache": cache,
            "stores": _stores(now, figures),
            "connections": {"open": 148, "idle": 112, "accepted": 88_120, "refused": 0, "limit": 10_000},
            "busiest": [] if self.is_new else _busiest(),
            "slowest": [] if self.is_new else _slowest(now),
            "errors": [] if self.is_new else _errors(now),
        }


def blocks_of(count: int) -> list[list[int]]:
    """A file of which a footer and some columns are read again and again, and others now and then."""
    blocks = []
    for index in range(count):
        wave = math.sin(index / 9) + math.sin(index / 3.7)
        if index > count - 6 or wave > 0.9:
            blocks.append([BLOCK_SIZE, 0])
        elif wave > 0:
            blocks.append([0, BLOCK_SIZE])
        elif wave > -0.35:
            blocks.append([0, BLOCK_SIZE // 4] if index % 2 else [BLOCK_SIZE * 5 // 8, 0])
        else:
            blocks.append([0, 0])
    return blocks


def _moment(at: float, load: float) -> dict[str, float]:
    """Every series at one time: a slow wave, a faster one, and what looks like chance but is not."""
    chance = math.sin(at * 12.9898) * 43_758.5453 % 1
    other = math.sin(at * 78.233) * 12_543.123 % 1
    wave = 1 + 0.25 * math.sin(at / 700) + 0.12 * math.sin(at / 95) + 0.16 * (chance - 0.5)
    cold = max(0.0, math.sin(at / 900 + 2)) ** 6
    memory, disk = 1_150 * wave * (1 - 0.45 * cold), 340 * wave * (1 + 0.3 * cold)
    store = 60 + 420 * cold * (0.8 + 0.4 * other) + 25 * other
    local = 55 + 12 * math.sin(at / 260)
    cached = (memory + disk) / (memory + disk + store)
    errors = 1.0 if other > 0.985 else 0.0
    return {
        "bytes_memory": memory * MIB * load,
        "bytes_disk": disk * MIB * load,
        "bytes_store": store * MIB * load,
        "bytes_local": local * MIB * load,
        "bytes_received": 48 * MIB * wave,
        "requests": 4_200 * wave * load,
        "errors": errors,
        "hit_ratio": min(0.999, cached + 0.035),
        "hit_byte_ratio": cached,
        "latency_p50": 0.0021 * wave,
        "latency_p90": 0.011 * wave * (1 + cold),
        "latency_p99": 0.062 * wave * (1 + 3 * cold) + 0.03 * other,
        "first_byte_p50": 0.0011 * wave,
        "first_byte_p99": 0.031 * wave * (1 + 3 * cold),
        "store_latency_p50": 0.024 * (1 + 0.5 * cold + 0.15 * chance),
        "store_latency_p99": 0.11 * (1 + 1.4 * cold + 0.22 * chance),
        "store_errors": errors * 2 * cold,
        "connections": 148.0,
        "memory_used": 7.4 * GIB,
        "disk_used": 171.0 * GIB,
    }


def _tiers(*, is_new: bool) -> list[dict[str, object]]:
    def tier(name: str, size: int, buckets: dict[str, float]) -> dict[str, object]:
        sizes = {} if is_new else {bucket: int(gib * GIB) for bucket, gib in buckets.items()}
        used = sum(sizes.values())
        return {
            "name": name,
            "used_bytes": used,
            "size_bytes": size * GIB,
            "blocks": used // BLOCK_SIZE,
            "is_working": True,
            "buckets": [{"bucket": bucket, "bytes": amount} for bucket, amount in sizes.items()],
        }

    return [
        tier("memory", 8, {"warehouse": 4.1, "models": 2.2, "logs": 0.7, "images": 0.3, "features": 0.1}),
        tier("disk", 200, {"warehouse": 88, "models": 41, "images": 22, "logs": 13, "features": 5, "exports": 2}),
    ]


def _operations() -> dict[str, object]:
    def operation(count: int, sent: float, received: float, median: float) -> dict[str, object]:
        latency = {"p50": median, "p90": median * 4, "p99": median * 22}
        return {
            "count": count,
            "errors": count // 6_000,
            "bytes_sent": int(sent * GIB),
            "bytes_received": int(received * GIB),
            "latency_seconds": latency,
            "first_byte_seconds": latency,
        }

    return {
        "GetObject": operation(17_480_220, 8_912, 0, 0.0023),
        "HeadObject": operation(1_204_440, 0.4, 0, 0.0004),
        "ListObjectsV2": operation(402_118, 21.2, 0, 0.012),
        "PutObject": operation(188_040, 0, 412, 0.031),
        "UploadPart": operation(44_120, 0, 352, 0.084),
        "CompleteMultipartUpload": operation(4_411, 0, 0, 0.21),
        "DeleteObjects": operation(3_245, 0, 0.01, 0.018),
    }


def _stores(now: float, figures: dict[str, float]) -> list[dict[str, object]]:
    latency = {"p50": figures["store_latency_p50"], "p90": 0.06, "p99": figures["store_latency_p99"]}
    near = {"p50": 0.0004, "p90": 0.001, "p99": 0.004}

    def store(name: str, kind: str, endpoint: str, requests: int, latency: dict[str, float]) -> dict[str, object]:
        found = {"is_reachable": True, "reason": None, "checked_at": now - 3, "errors": requests // 36_000}
        told = {"name": name, "kind": kind, "endpoint": endpoint, "requests": requests, "latency_seconds": latency}
        return told | found

    return [
        store("default", "s3", "http://rgw.example.com:7480", 1_480_112, latency),
        store("nas", "local", "/mnt/nas", 88_140, near),
    ]


def _busiest() -> list[dict[str, object]]:
    keys = [
        ("warehouse", "sales/year=2026/month=11/part-00017.snappy.parquet"),
        ("models", "ranker/v41/weights-00003-of-00012.safetensors"),
        ("warehouse", "sales/year=2026/month=11/part-00004.snappy.parquet"),
        ("images", HOSTILE_KEY),
        ("warehouse", "customers/part-00000.parquet"),
        ("models", "ranker/v41/tokenizer.json"),
        ("logs", "2026/11/23/ingress-05.json.gz"),
        ("features", "daily/2026-11-22/embeddings.arrow"),
        ("warehouse", "ключи/日本語/Ünïcode name with spaces.parquet"),
        ("logs", "2026/11/23/ingress-02.json.gz"),
    ]
    return [
        {"bucket": bucket, "key": key, "requests": 91_400 // (place + 1), "bytes": 610 * GIB // (place + 1)}
        for place, (bucket, key) in enumerate(keys)
    ]


def _slowest(now: float) -> list[dict[str, object]]:
    kinds = ["GetObject", "CompleteMultipartUpload", "GetObject", "ListObjectsV2", "PutObject"]
    return [
        {
            "at": now - 40 - 311 * place,
            "operation": kinds[place % 5],
            "bucket": "warehouse",
            "key": f"sales/year=2026/month={11 - place:02}/part-{place * 7:05}.snappy.parquet",
            "status": 200,
            "seconds": 6.41 / (1 + place / 2),
            "first_byte_seconds": 1.92 / (1 + place),
            "bytes": 512 * MIB // (place + 1),
            "client": f"10.20.0.{31 + place}",
        }
        for place in range(9)
    ]


def _errors(now: float) -> list[dict[str, object]]:
    told = [
        ("SlowDown", 503, "/warehouse/sales/part-00044.parquet", "The store did not answer within 30 s; try again."),
        ("NoSuchKey", 404, f"/images/{HOSTILE_KEY}", "The specified key does not exist."),
        ("AccessDenied", 403, "/logs/2026/11/23/x.json", "ann may read this bucket but not write to it."),
        ("BadDigest", 400, "/models/ranker/v42/weights.bin", "The CRC32C that you specified is not what we received."),
        ("NoSuchBucket", 404, "/warehose", "The specified bucket does not exist."),
        ("InvalidRange", 416, "/models/ranker/v41/tokenizer.json", "The requested range is not satisfiable."),
    ]
    own: dict[str, object] = {
        "at": now - 700,
        "message": "the disk tier: block 7f31 did not match its checksum and was dropped",
    }
    nothing: dict[str, object] = dict.fromkeys(("code", "status", "operation", "resource", "request_id"))
    of_requests: list[dict[str, object]] = [
        {
            "at": now - 90 - 230 * place,
            "code": code,
            "status": status,
            "operation": "PutObject" if status in {400, 403} else "GetObject",
            "resource": resource,
            "message": message,
            "request_id": f"5F2A{place:04}",
        }
        for place, (code, status, resource, message) in enumerate(told)
    ]
    return [*of_requests[:3], nothing | own, *of_requests[3:]]


def _objects(query: dict[str, str]) -> dict[str, object]:
    bucket, prefix, after = query["bucket"], query.get("prefix", ""), query.get("after")
    if prefix == "img/":
        keys = [HOSTILE_KEY, OVERRIDING_KEY]
        rows = [{"key": key, "size": 0, "memory_bytes": 0, "disk_bytes": 0} for key in keys]
    else:
        first = 0 if after is None else 12
        rows = [_object(prefix, number) for number in range(first, first + 12)]
    changed = [row | {"etag": "9b2cf5", "modified_at": 1_795_000_000 + 977 * at} for at, row in enumerate(rows)]
    return {
        "bucket": bucket,
        "prefix": prefix,
        "directories": [] if prefix or after else ["customers/", "img/", "sales/"],
        "objects": changed,
        "after": None if after is not None or prefix == "img/" else "more",
    }


def _object(prefix: str, number: int) -> dict[str, Any]:
    size = (960 - 61 * number) * MIB if number < 12 else 900 * KIB
    memory = size * max(0, 5 - number) // 8
    disk = (size - memory) * (number % 4) // 3
    held = {"memory_bytes": memory, "disk_bytes": disk} if number < 23 else {"memory_bytes": None, "disk_bytes": None}
    return {"key": f"{prefix}part-{number:05}.snappy.parquet", "size": size} | held


@contextmanager
def serving(node: FakeNode) -> Iterator[FakeNode]:
    """Serve the node on loopback; ``node.url`` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if node.is_gone:
                self.close_connection = True
                return
            address = urlsplit(self.path)
            static = dashboard.answer(address.path)
            if static is not None:
                return self._send(static.status, static.headers, static.body)
            node.asked.append(self.path)
            if node.token and self.headers["authorization"] != f"Bearer {node.token}":
                return self._send_json(401, {"reason": "a token is needed"})
            if address.path in node.refusals:
                return self._send_json(503, {"reason": node.refusals[address.path]})
            answer = node.answer(address.path, dict(parse_qsl(address.query)))
            return self._send_json(404 if answer is None else 200, answer or {"reason": "unknown to this node"})

        def _send_json(self, status: int, answer: object) -> None:
            body = json.dumps(answer).encode()
            headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
            self._send(status, headers, body)

        def _send(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    node.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
