"""Pages opened by Streamlit's own AppTest, and what can be read on them."""

import json
import re
from pathlib import Path

from browsing import MODELS
from streamlit.testing.v1 import AppTest

from butf.files import REPO


def opened(page: str = "explore", **query: str | list[str]) -> AppTest:
    """A page of the app as an address opens it; the test site's data and models where the address names none."""
    app = AppTest.from_file(str(REPO / "app.py"), default_timeout=180)
    for key, value in {"data": "tiny", "models": list(MODELS), **query}.items():
        app.query_params[key] = value
    app.run()
    return app.switch_page(f"pages/{page}.py").run()


def well(app: AppTest) -> AppTest:
    """The app, which failed nowhere and says of nothing that it is wrong."""
    assert not app.exception
    assert [error.value for error in app.error] == []
    return app


def html(app: AppTest) -> str:
    """What pages draw as HTML, the gallery's own component included."""
    drawn = [json.loads(found.proto.mixed.json or found.proto.json or "{}") for found in app.get("bidi_component")]
    galleries = [entry["html"] for entry in drawn if "html" in entry]
    bodies = [body for element in app.get("html") if "<style>" not in (body := element.proto.body)]
    return "".join(bodies + galleries)


def hover_maps(app: AppTest) -> list[str]:
    """What a screen reader says of each picture of cells that is drawn, in their order."""
    return re.findall(r'<figure class="hover-map[ "].*?alt="(.*?)"', html(app))


def button(app: AppTest, label: str):
    """The first button of this label, None without one."""
    return next((found for found in app.button if found.label == label), None)


def local_copy(root: Path, drop: tuple[str, ...]) -> None:
    """Take columns, and what says where on the globe it is, out of a data set."""
    lines = [line.split(",") for line in (root / "frames.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if name not in drop]
    (root / "frames.csv").write_text("\n".join(",".join(line[i] for i in kept) for line in lines) + "\n")
    manifest = json.loads((root / "dataset.json").read_text()) | {"origin": None}
    (root / "dataset.json").write_text(json.dumps(manifest))
