"""Generate files of the repository: pictures, icons, schemas, the dashboard, page libraries."""
