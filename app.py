"""The app: `streamlit run app.py`. Its pages lie in pages/, what they show is made by butf/."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

import butf.views  # noqa: F401  # torch, pandas and folium are loaded when the server starts, not at the first visit
from pages.mends import mend
from pages.serving import TellServer, to_home

HERE = Path(__file__).resolve().parent
PAGES = (
    ("home", "Home", ":material/home:"),
    ("explore", "Explore", ":material/travel_explore:"),
    ("compare", "Compare", ":material/monitoring:"),
    ("localize", "Localize", ":material/pin_drop:"),
    ("train", "Train", ":material/model_training:"),
    ("data", "Data", ":material/database:"),
    ("learn", "Learn", ":material/school:"),
)


def main() -> None:
    from pages import shared, sidebar  # not at the top: the server imports this file before it can keep anything

    st.set_page_config(page_title="BU-TF", page_icon=str(HERE / "static" / "logo.svg"), layout="wide")
    st.logo(str(HERE / "static" / "wordmark.svg"), icon_image=str(HERE / "static" / "logo.svg"), size="large")
    for sheet in sorted((HERE / "static").glob("*.css")):
        st.html(sheet)
    pages = [
        st.Page(HERE / "pages" / f"{name}.py", title=title, icon=icon, url_path=name, default=name == "home")
        for name, title, icon in PAGES
        if (HERE / "pages" / f"{name}.py").exists()
    ]
    page = st.navigation(pages, position="hidden")
    shared.come_through_app()
    with st.sidebar.container(gap="xsmall", key="pages"):
        for entry in pages:
            st.page_link(entry)
    sidebar.draw()
    page.run()


if __name__ == "app":  # the server imports it, and then runs it for each visitor
    mend()
    app = st.App(HERE / "app.py", routes=[Route("/home", to_home)], middleware=[Middleware(TellServer)])
else:
    main()
