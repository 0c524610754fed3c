"""The audit as one self-contained HTML page: the graph of the ancestry, each version clickable."""

from __future__ import annotations

from typing import Any

from o1_assets.audit.document import document
from o1_assets.audit.layout import HEIGHT, LEFT, WIDTH, draw
from o1_assets.audit.result import Audit
from o1_assets.audit.text import verdict


def page(audit: Audit) -> str:
    """Nothing in it comes from elsewhere, and what a manifest or a labeller says is shown as text only."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("o1_assets.audit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {(one.key, one.version): f"v{i}" for i, one in enumerate(audit.versions)}
    inputs = {
        (one.key, one.version): [(i.key, i.version) for i in one.manifest.inputs.values()]
        if one.manifest
        else []
        for one in audit.versions
    }
    drawing = draw(inputs)
    nodes: list[dict[str, Any]] = [
        {
            "id": names[one.key, one.version],
            "box": drawing.boxes[one.key, one.version],
            "stage": one.key.rpartition("/")[2],
            "key": one.key,
            "digest": one.manifest.digest[:12] if one.manifest else "unreadable",
            "broken": bool(one.broken),
            "asked": one is audit.asked,
        }
        for one in audit.versions
    ]
    return environment.get_template("page.html.j2").render(
        audit=document(audit),
        verdict=verdict(audit),
        drawing=drawing,
        nodes=nodes,
        edges=[
            {
                "source": names[edge.source],
                "target": names[edge.target],
                "path": edge.path,
                "implied": edge.implied,
            }
            for edge in drawing.edges
        ],
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT},
    )
