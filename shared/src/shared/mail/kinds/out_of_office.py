"""How automatic replies begin their subjects, in the words of the usual programs. Never enough alone: people write such subjects too."""

from __future__ import annotations

from typing import Final

# A program's own words: the subject it answers follows a colon. Case folded.
_FIXED: Final = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "automated reply", "auto response", "auto-response", "autoresponse",
    "out of office autoreply", "out of office reply", "vacation reply", "vacation notice",
    "automatische antwort", "abwesenheitsnotiz", "abwesenheitsmeldung", "automatische rückmeldung", "automatische antwort / abwesend",
    "réponse automatique", "réponse automatique d'absence du bureau", "message d'absence",
    "risposta automatica", "risposta automatica fuori sede",
    "respuesta automática", "respuesta automatica", "resposta automática", "resposta automatica",
    "ausência temporária", "resposta automàtica", "automatisch antwoord", "afwezigheidsbericht",
    "autosvar", "automatiskt svar", "automatisk svar", "frånvaroavisering", "fraværsmelding",
    "automaattinen vastaus", "automatyczna odpowiedź", "odpowiedź automatyczna", "autoodpowiedź",
    "automatická odpověď", "automatická odpoveď", "automatikus válasz", "răspuns automat", "automatski odgovor", "samodejni odgovor",
    "automaatvastus", "automātiska atbilde", "automatinis atsakymas", "automatinis atsakas", "otomatik yanıt", "otomatik cevap",
    "автоматический ответ", "автоответ", "автоматична відповідь", "автоматичен отговор", "αυτόματη απάντηση",
    "自动答复", "自动回复", "自動回覆", "自動回應", "自動応答", "自動返信", "자동 회신", "자동 응답",
    "תשובה אוטומטית", "מענה אוטומטי", "رد تلقائي", "الرد التلقائي", "trả lời tự động", "การตอบกลับอัตโนมัติ", "balasan otomatis",
    "jawapan automatik",
)  # fmt: skip

# A program's too, and what anybody may call a mail.
_SPOKEN: Final = (
    "out of office", "out-of-office", "away from my mail", "absence du bureau", "fuori sede", "fuori ufficio", "assente",
    "fuera de la oficina", "fora do escritório", "niet aanwezig", "ikke til stede", "poissa", "不在通知", "부재중",
)  # fmt: skip
_PREFIXES: Final = (*_FIXED, *_SPOKEN)

_BEGINNINGS: Final = (
    *_PREFIXES, "ooo", "[auto-reply]", "[autoreply]", "[auto reply]", "(auto-reply)", "i am away", "i'm away", "away from", "on vacation",
    "i am out of", "i'm out of", "on leave", "annual leave", "vacation:", "ich bin nicht", "abwesend", "urlaub", "nicht im büro",
    "absent", "en congé", "in ferie", "sono assente", "vacaciones", "de vacaciones", "ausente", "férias", "afwezig", "met vakantie",
    "semester", "frånvarande", "fraværende", "nieobecn", "nepřítomn", "отпуск", "в отпуске", "нет на месте", "休暇", "休假",
)  # fmt: skip
_STARTS: Final = frozenset(prefix[:3] for prefix in _FIXED)


def is_fixed(subject: str) -> bool:
    """The case-folded subject begins with a program's words and a colon. Asked of every answer, so mostly by its first letters."""
    return subject[:3] in _STARTS and ":" in subject.replace("：", ":") and _head(subject) in _FIXED


def is_prefixed(subject: str) -> bool:
    """It begins so, or as people too begin theirs, or is nothing else."""
    return _head(subject) in _PREFIXES


def sounds_away(subject: str) -> bool:
    """It begins in any way that one of an automatic reply may."""
    return subject.startswith(_BEGINNINGS)


def _head(subject: str) -> str:
    return subject[:80].replace("：", ":").partition(":")[0].strip()
