"""What a data set looks like on disk, for those who make one. Part of the Data page."""

import streamlit as st

TREE = """dataset.json
frames.csv
areas.geojson                     optional
TRAVERSAL/rgb/000123.jpg          or .png
TRAVERSAL/depth/000123.png        optional
TRAVERSAL/reflectance/000123.png  optional
TRAVERSAL/semantics/000123.png    optional"""
TABLE = """frame,split,lat,lon
walk/000000,train,48.80412,2.29104
walk/000001,test,48.80430,2.29131"""
MANIFEST = """{"name": "My walk", "licence": "CC-BY-4.0",
 "modalities": {"depth": {"near_m": 1, "far_m": 100}}}"""
TREE_SAYS = (
    "Depth is a 16-bit PNG, metres × 256, 0 where nothing was measured; reflectance 8-bit, 0 to 255; semantics 8-bit "
    "class ids. The README has the rest under *Your own data*."
)


def draw() -> None:
    for title, text, language in (
        ("The folder", TREE, None), ("frames.csv", TABLE, None), ("dataset.json", MANIFEST, "json"),
    ):  # fmt: skip
        st.caption(title)
        st.code(text, language)
    st.caption(TREE_SAYS)
