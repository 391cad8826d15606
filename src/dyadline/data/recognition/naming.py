"""What columns are called: the words of their names, in the languages of the field's laboratories."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


def word_list(text: str) -> tuple[str, ...]:
    """Words that are written in one text."""
    return tuple(text.split())


DYAD = word_list(
    "dyad dyadid dyade dyads couple coupleid paar par pair patient patienten patientid pasient pasientid pat patid "
    "pas client "
    "clientid klient klientid case caseid caseno fall fallnr subject subj participant person personid child childid "
    "student deltaker teilnehmer vp vpn vpcode proband pid id"
)
THERAPIST = word_list(
    "therapist therapistid therapeut therapeutin therapeutid terapeut terapeutid behandler behandlerid ther thera "
    "clinician counsellor counselor psychologist provider therid thid tid therapis behand behandle"
)
TIME = word_list(
    "occasion occas occ session sessions sitzung sesjon sess sitz wave week weeks woche uke time tid visit interview "
    "assessment measurement zeitpunkt messzeitpunkt mzp tidspunkt timepoint timep tp termin stunde phase month monat "
    "day days months year years t"
)
OUTCOME = word_list(
    "outcome symptom symptoms symptome symptomer distress bdi bdiii gsi scl phq oq core hamd hrsd hdrs madrs bai gad "
    "bsi dass cesd ces qids iip pcl k10 who sofa anxiety depression depresjon angst y"
)
ALLIANCE = word_list("wai waisr alliance allianz allianse haq calpas srs vtas wais arbeitsbuendnis arbeitsbündnis")
PATIENT = word_list("p pat pt patient patients pasient c cl client clients klient klienten")
THERAPIST_SIDE = word_list("t th ther therapist therapists therapeut terapeut behandler clinician counsellor counselor")
PARTNERS = (
    ("k", "b"), ("k", "t"), ("p", "b"), ("parent", "child"), ("husband", "wife"), ("man", "woman"), ("m", "f"),
    ("male", "female"), ("a", "p"),
)  # fmt: skip
BASELINE = word_list(
    "pre prae prä prä pretest baseline base bl intake pretreatment initial screening eingang oppstart t0 vorher"
)
LATE = word_list("post posttest end ende slutt final nachher abschluss avslutning termination discharge last")
MIDDLE = word_list("mid mitte midt middle zwischen halfway interim")
FOLLOW_UP = word_list("fu followup followups katamnese kat oppfølging oppfolging follow")
SUBSCALE = word_list("goal goals task tasks bond item ziel aufgabe bindung mål oppgave bånd")
NUMBERING = frozenset(word_list("id no nr num number code index nummer kode name"))
TOTAL = frozenset(word_list("total tot sum summe mean mittel mw score skår gesamt snitt"))

TIME_MARK = {
    "session": word_list("s se ses sess session sessions sitz sitzung sesjon termin stunde std v visit"),
    "week": word_list("w wk week weeks woche uke"),
    "wave": ["wave", "welle"],
    "month": word_list("mon month months monat"),
    "day": word_list("d day tag dag"),
    "occasion": word_list("t tp time occ occasion mzp messzeitpunkt zeitpunkt tidspunkt tid m mp"),
}
"""Words before the number of an occasion, by what the number counts."""
ITEM_MARK = frozenset(word_list("i it itm item items q frage fr sp spm spørsmål question nr"))

RATER_COLUMN = frozenset(
    word_list(
        "rater raters source respondent informant perspective role rolle who form version beurteiler kilde vurderer "
        "perspektiv perspektive melder rated ratedby by reporter"
    )
)
PATIENT_VALUES = frozenset((*PATIENT, "k", "pt", "patientin", "patient(in)", "pasienten", "self", "selbst"))
THERAPIST_VALUES = frozenset((*THERAPIST_SIDE, "b", "therapeutin", "therapeut(in)", "terapeuten", "provider"))

COUNT = frozenset(word_list("n number num anzahl antall count total no nr nsessions nsess nsitzungen"))
SESSIONS = frozenset(word_list("session sessions sess sitzungen stunden sesjoner timer visits hours nsessions nsess"))
SESSIONS |= {"nsitzungen"}
END = frozenset((*LATE, "letzte", "letzter", "siste", "ended", "enddate", "lastsession", "enddatum", "sluttdato"))
DATE = frozenset(word_list("date dates datum dato day tag dag sessiondate sessdate visitdate"))
REASON = frozenset(word_list("reason reasons grund gründe årsak arsak begründung abbruchgrund dropoutreason why"))

_RATER = "patient|pat|pasient|client|klient|ther|therapist|therapeut|terapeut|p|c|t|k"
_SCALE = (
    "waisr|wais|wai|alliance|allianz|haq|calpas|srs|bdi|phq|gad|scl|gsi|oq|core|bai|madrs|hamd|iip|dass|pcl|bsi|ces"
)
_TAIL = "session|sess|ses|item|itm|pre|post|mid|total|tot|sum|mean|s|t|w|i|q"
_GLUED = re.compile(rf"({_RATER})?({_SCALE})({_RATER})?({_TAIL})?")
_CAMEL = re.compile(r"(?<=[a-zäöüæøå])(?=[A-ZÄÖÜÆØÅ])")
_MEASURES = r"phq{0}(?:15|9|8|4|2)|gad{0}(?:7|2)|scl{0}(?:90|27|9)|oq{0}(?:45|30)|core{0}(?:34|10|5)|dass{0}(?:42|21)|"
_MEASURES += r"pcl{0}5|who{0}5|k{0}(?:10|6)|iip{0}(?:64|32)|bsi{0}(?:53|18)|wai{0}(?:36|12)"
NUMBERED = re.compile(rf"(?i)(?:{_MEASURES.format('')})(?=\D)|(?:{_MEASURES.format('[_-]')})(?=\D+\d)")
"""Measures whose names end in a number, which is neither an item nor an occasion."""


def words(name: str) -> list[str]:
    """The words of a name: ``waiPatient_1`` has wai, patient, 1; ``WAIP`` and ``waip`` have wai, p."""
    found: list[str] = []
    for run in re.findall(r"[^\W\d_]+|\d+", name):
        for word in [run] if _GLUED.fullmatch(run.casefold()) else _CAMEL.split(run):
            glued = _GLUED.fullmatch(word.casefold())
            found.extend([part for part in glued.groups() if part] if glued else [word.casefold()])
    # T0 is one word where it ends a name, as an item's number is not.
    if len(found) > 1 and found[-1].isdecimal() and len(found[-1]) == 1 and re.search(r"(?i)(?<![^\W_])t\d$", name):
        found[-2:] = ["".join(found[-2:])]
    return found


def time_unit(word: str) -> str | None:
    """What a number counts that stands behind this word: session, week, wave, month, day, occasion."""
    return next((unit for unit, marks in TIME_MARK.items() if word in marks), None)


def _stem(word: str, known: Collection[str]) -> str:
    """The known word before a numbering, as in pasnr; names of eight letters have no room for a mark between."""
    stems = (word.removesuffix(tail) for tail in ("id", "nr", "no", "code", "kode") if word.endswith(tail))
    return next((stem for stem in stems if len(stem) > 2 and stem in known), word)


def named(words_of: Sequence[str], known: Sequence[str], extra: Collection[str] = ()) -> int | None:
    """Place in `known` of the first known word, if all words are known, numbering or `extra`; else None."""
    words_of = [word if word in known else _stem(word, known) for word in words_of]
    matching = [known.index(word) for word in words_of if word in known]
    complete = all(word in known or word in NUMBERING or word in extra for word in words_of)
    return min(matching) if matching and complete else None
