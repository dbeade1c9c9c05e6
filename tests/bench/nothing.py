"""A Flask route that does nothing, served as the engine is: what the engine's rate is compared with."""

from flask import Flask

app = Flask(__name__)


@app.post("/nothing")
def nothing() -> str:
    """Nothing."""
    return ""
