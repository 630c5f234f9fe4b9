"""From upload to announcement, beside other pipelines, in an open loop."""
