"""Programs around the application, by purpose; `usage.py` and `common.sh` serve all of them."""
