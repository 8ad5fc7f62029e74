"""S3-compatible storage on this machine: moto's server, shared by all tests of a run."""

from __future__ import annotations

import itertools
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
_numbers: Iterator[int] = itertools.count()


def make_bucket_url(prefix: str = "") -> str:
    """The URL of a new bucket; the keys to it are in the environment from here on."""
    os.environ.update(KEYS)
    name = f"bucket-{next(_numbers)}"
    s3_client().create_bucket(Bucket=name)
    return f"s3://{name}/{prefix}?endpoint={_endpoint()}"


@cache
def s3_client() -> Any:
    """What another program sees of the storage."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=_endpoint(),
        region_name=KEYS["AWS_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


@cache
def _endpoint() -> str:
    pytest.importorskip("obstore")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"
