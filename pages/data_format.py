"""What a data set looks like on disk, for those who make one. Part of the Data page."""

import streamlit as st

TREE = """dataset.json
frames.csv
areas.geojson
walk/rgb/000123.jpg
walk/depth/000123.png
walk/reflectance/000123.png
walk/semantics/000123.png"""
TABLE = """frame,split,lat,lon
walk/000123,train,48.8041,2.2910
walk/000124,test,48.8043,2.2913"""
MANIFEST = """{"name": "My walk",
 "licence": "CC-BY-4.0",
 "modalities": {"depth":
  {"near_m": 1, "far_m": 100}}}"""
TREE_SAYS = (
    "The modalities and areas.geojson are optional. Depth is a 16-bit PNG, metres × 256, 0 where nothing was measured; "
    "reflectance 8-bit, 0 to 255; semantics 8-bit class ids. Indoors give easting_m and northing_m instead of lat and "
    "lon."
)


def draw() -> None:
    for title, text, language in (
        ("The folder", TREE, None), ("frames.csv", TABLE, None), ("dataset.json", MANIFEST, "json"),
    ):  # fmt: skip
        st.caption(title)
        st.code(text, language)
    st.caption(TREE_SAYS)
