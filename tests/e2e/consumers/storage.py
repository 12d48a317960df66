"""S3 as the consumers open it."""

import os

import s3fs


def filesystem() -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        key=os.environ["AWS_ACCESS_KEY_ID"],
        secret=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        client_kwargs={"verify": False},
    )
