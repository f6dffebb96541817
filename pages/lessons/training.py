"""What each method trains: its steps as a diagram, with parameters counted on the real networks."""

import streamlit as st

from butf.figures.diagram import diagram_html
from butf.figures.gallery import heading_html
from butf.figures.tables import table_html
from butf.teaching import diagrams, steps
from pages import components
from pages.lessons.asking import one_of

HEAD = ("Method", "Training steps", "Trained, all steps together", "Deployed", "Size")
CAPTION = "Parameters, counted on the networks just now. Size is the ratio of what is deployed to image-only."


def draw() -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="steps"):
        method = one_of("Method", steps.TAUGHT, "method", "bu-tf")
        course = course_of(method)
        titles = [diagrams.title(course, number) for number in range(len(course.steps))]
        chosen = one_of("Step", titles, "step")
    step = course.steps[titles.index(chosen)]
    st.html(heading_html(f"{method}: {chosen}", changed(course, step)))
    st.html(f'<p class="told">{diagrams.told(course, step)}</p>')
    label = f"{method}, {chosen}: which parts learn, which are frozen, and which loss acts where"
    components.drawing(diagram_html(diagrams.nodes(step), diagrams.links(step), label), "diagram")
    st.html(f'<p class="legend-line">{diagrams.legend(step)}</p>')
    equation = diagrams.equation(step)
    if equation:
        with st.container(key="formula"):
            st.latex(equation)
    if st.toggle("Count all four methods", key="counted", bind="query-params"):
        st.html(table_html(HEAD, [row(course_of(name)) for name in steps.TAUGHT], CAPTION))


def changed(course: steps.Course, step: steps.Step) -> str:
    """How many parameters the step changes, or what is left to deploy."""
    if step.name == steps.TEST_TIME:
        return f"{course.deployed:,} parameters deployed, {course.size_ratio:.2f}x image-only"
    return f"{step.trained:,} parameters learn"


def row(course: steps.Course) -> list[str]:
    return [
        course.method,
        str(len(course.steps) - 1),
        f"{course.trained:,}",
        f"{course.deployed:,}",
        f"{course.size_ratio:.2f}x",
    ]


@st.cache_resource(max_entries=8, show_spinner="Building the networks to count them")
def course_of(method: str) -> steps.Course:
    return steps.course(method)
