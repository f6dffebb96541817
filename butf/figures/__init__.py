"""Pure figure builders: arrays and tables in, `go.Figure`, `folium.Map`, `PIL.Image` or HTML out. No Streamlit."""
