"""Body parts and sides that free text names, in the languages of reports."""

import re

BODY_PARTS = {
    "knee": r"KNEES?|GENOUX?|KNIE|RODILLA|GINOCCHIO|JOELHO|KOLANO|PATELLA|MENISCUS|ACL",
    "brain": r"BRAIN|HEAD|SKULL|CRANE|CEREBRAL|CERVEAU|ENCEPHALE|KOPF|SCHADEL|HIRN|CRANEO|CEREBRO|CABEZA|TESTA|NEURO",
    "spine": r"[CTL]?SPINE|SPINAL|LUMBAR|RACHIS|WIRBELSAULE|[LHB]WS|COLUMNA|LOMBAIRE|SSPINE|[CTL]{1,2}SSPINE",
    "shoulder": r"SHOULDER|EPAULE|SCHULTER|HOMBRO|SPALLA|OMBRO",
    "hip": r"HIPS?|HANCHE|HUFTE|CADERA|ANCA",
    "ankle": r"ANKLE|CHEVILLE|SPRUNGGELENK|OSG|TOBILLO|CAVIGLIA",
    "foot": r"FOOT|FEET|PIEDS?|FUSS|PIEDE",
    "wrist": r"WRIST|POIGNET|HANDGELENK|MUNECA|POLSO",
    "hand": r"HANDS?|MANO|FINGERS?",
    "elbow": r"ELBOW|COUDE|ELLENBOGEN|CODO|GOMITO",
    "pelvis": r"PELVIS|BASSIN|BECKEN|PROSTATE?|UTERUS|BLADDER",
    "abdomen": r"ABDOMEN|ABDO|LIVER|FOIE|LEBER|KIDNEY|PANCREAS|MRCP",
    "chest": r"CHEST|THORAX|HEART|CARDIAC|COEUR|HERZ|LUNG",
    "breast": r"BREAST|SEIN|MAMMA|MAMA",
    "neck": r"NECK|HALS|CUELLO|COLLO",
    "thigh": r"THIGH|FEMUR|CUISSE|OBERSCHENKEL",
}
"""Words for body parts in reports' languages, upper case without accents; each matched as a whole word."""
UNKNOWN_PART = "another body part"
"""Stands for a BodyPartExamined that is none of the words above: its own text may hold anything and never survives."""
GENERIC_PARTS = frozenset(
    (
        *("", "EXTREMITY", "LOWER EXTREMITY", "LOWEREXTREMITY", "LOWER LIMB", "LOWERLIMB", "LEG", "JOINT", "MSK"),
        *("MEMBRE INF", "MEMBRE INFERIEUR", "UNKNOWN", "OTHER", "WHOLEBODY"),
    )
)
"""What a knee is part of, and words that say nothing."""
_BODY_PARTS = {part: re.compile(rf"\b(?:{words})\b") for part, words in BODY_PARTS.items()}
_KNEE = rf"(?:{BODY_PARTS['knee']})"
_SIDES = {
    "R": re.compile(
        rf"\b(?:RIGHT|RT|DROITE?|RECHTS|DERECHA|DESTRO)\b|\b{_KNEE} (?:R|RE|D|DX|DER)\b|\b(?:R|RE|D) {_KNEE}\b"
    ),
    "L": re.compile(
        rf"\b(?:LEFT|LT|GAUCHE|LINKS|IZQUIERDA|SINISTRO)\b|\b{_KNEE} (?:L|LI|G|SX|IZQ)\b|\b(?:L|LI|G) {_KNEE}\b"
    ),
}
_ACCENTS = str.maketrans("ÀÂÄÁÈÉÊËÌÎÏÍÒÔÖÓÙÛÜÚÇÑ", "AAAAEEEEIIIIOOOOUUUUCN")


def plain_words(free: str) -> str:
    """Upper case without accents, each run of anything but letters and digits one space."""
    return re.sub(r"[^A-Z0-9]+", " ", free.upper().translate(_ACCENTS)).strip()


def body_part_in(words: str) -> str | None:
    """The body part that plain words name; the knee wins where it is among several."""
    return next((part for part, pattern in _BODY_PARTS.items() if pattern.search(words)), None)


def side_in(words: str) -> str | None:
    """R or L where plain words name exactly one side."""
    named = [side for side, pattern in _SIDES.items() if pattern.search(words)]
    return named[0] if len(named) == 1 else None
