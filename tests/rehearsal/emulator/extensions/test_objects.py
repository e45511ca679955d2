"""S3 URLs of templates: bucket and key, or a refusal."""

import pytest

from rehearsal.emulator.extensions import objects


@pytest.mark.parametrize(
    ("url", "bucket", "key"),
    [
        (
            "https://bodies.s3.us-east-1.amazonaws.com/deployment/0123/a.yaml",
            "bodies",
            "deployment/0123/a.yaml",
        ),
        ("https://bodies.s3.amazonaws.com/a.yaml", "bodies", "a.yaml"),
        ("https://my.bodies.s3.cn-north-1.amazonaws.com.cn/a.yaml", "my.bodies", "a.yaml"),
        ("https://s3.us-east-1.amazonaws.com/bodies/folder/a.yaml", "bodies", "folder/a.yaml"),
        ("https://s3-us-west-2.amazonaws.com/bodies/a.yaml", "bodies", "a.yaml"),
    ],
)
def test_an_s3_url_names_bucket_and_key(url: str, bucket: str, key: str) -> None:
    assert objects.from_url(url) == (bucket, key)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.yaml",
        "http://bodies.s3.us-east-1.amazonaws.com/a.yaml",
        "https://bodies.s3.us-east-1.amazonaws.com/",
        "s3://bodies/a.yaml",
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must reference a valid S3 object"):
        objects.from_url(url)
