"""The example image in the OpenAPI document."""

from typing import Final

from ..domain.representation import Image

EXAMPLE: Final = Image.model_validate(
    {
        "image_id": "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de",
        "status": "processed",
        "method": "simple",
        "parameters": {"threshold": 127},
        "group": "invoice-42",
        "uploaded_at": "2026-11-24T03:05:38.913Z",
        "processed_at": "2026-11-24T03:05:39.004Z",
        "expires_at": "2026-12-02T00:00:00Z",
        "original": {
            "href": "/images/6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de/original",
            "filename": "scan.png",
            "bytes": 1149870,
            "width": 1240,
            "height": 1754,
            "dpi": 150,
            "sha256": "3f5a7a2f6d0f7a54d4f2d1d7c1a8f3b4f2f3c1a0e9d8c7b6a5f4e3d2c1b0a998",
        },
        "processed": {
            "href": "/images/6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de/processed",
            "bytes": 30376,
            "width": 1240,
            "height": 1754,
            "dpi": 150,
            "sha256": "aa5a7a2f6d0f7a54d4f2d1d7c1a8f3b4f2f3c1a0e9d8c7b6a5f4e3d2c1b0a998",
            "threshold": 127,
            "black_ratio": 0.104,
            "processing_ms": 25,
        },
        "ignored": ["iCCP: wrong CRC"],
        "page": {"kind": "writing", "inverted": False, "turned": 90},
    }
).model_dump(mode="json", by_alias=True)
