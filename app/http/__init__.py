"""The processes of the engine: http (gunicorn) and relay. Each builds its own clients here, never at import."""
