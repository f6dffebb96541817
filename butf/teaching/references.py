"""What the lessons rest on."""

from html import escape

REFERENCES = (
    ("Piasco, Sidibé, Gouet-Brunet, Demonceaux", 2018, "Apprentissage de modalités auxiliaires pour la localisation "
     "basée vision", "RFIAP: the talk that this app is about"),
    ("Piasco, Sidibé, Demonceaux, Gouet-Brunet", 2018, "A survey on Visual-Based Localization: On the benefit of "
     "heterogeneous data", "Pattern Recognition 74"),
    ("Piasco, Sidibé, Gouet-Brunet, Demonceaux", 2019, "Learning scene geometry for visual localization in "
     "challenging conditions", "ICRA"),
    ("Piasco, Sidibé, Gouet-Brunet, Demonceaux", 2021, "Improving image description with auxiliary modality for "
     "visual localization in challenging conditions", "IJCV"),
    ("Hoffman, Gupta, Darrell", 2016, "Learning with side information through modality hallucination", "CVPR"),
    ("Schroff, Kalenichenko, Philbin", 2015, "FaceNet: A unified embedding for face recognition and clustering",
     "CVPR: triplets, and which are hard"),
    ("Jégou, Douze, Schmid, Pérez", 2010, "Aggregating local descriptors into a compact image representation",
     "CVPR: VLAD"),
    ("Arandjelović, Gronat, Torii, Pajdla, Sivic", 2016, "NetVLAD: CNN architecture for weakly supervised place "
     "recognition", "CVPR"),
    ("Radenović, Tolias, Chum", 2018, "Fine-tuning CNN image retrieval with no human annotation",
     "TPAMI: generalized-mean pooling"),
    ("Kendall, Grimes, Cipolla", 2015, "PoseNet: A convolutional network for real-time 6-DOF camera relocalization",
     "ICCV: direct regression"),
    ("Wilson", 1927, "Probable inference, the law of succession, and statistical inference", "JASA: the interval"),
    ("Lepetit", None, "Deep learning for augmented reality", "lecture: NetVLAD, LIFT"),
)  # fmt: skip


def references_html() -> str:
    """The list as HTML."""
    return f'<ul class="references">{"".join(map(_entry, REFERENCES))}</ul>'


def _entry(reference: tuple[str, int | None, str, str]) -> str:
    authors, year, title, where = reference
    when = f" ({year})" if year else ""
    return f"<li>{escape(authors)}{when}: <i>{escape(title)}</i>. {escape(where)}.</li>"
