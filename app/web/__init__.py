"""Support for `app.routes`: upload forms, responses, request context and long polls."""
