"""The machinery around `app.routes`: upload forms, responses, request context and long polls."""
