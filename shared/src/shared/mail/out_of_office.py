"""How automatic replies begin their subjects, in the words of the usual programs. Never enough alone: people write such subjects too."""

from __future__ import annotations

from typing import Final

# A program's own prefix: the subject it answers follows a colon. Case folded.
_PREFIXES: Final = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "automated reply", "auto response", "auto-response", "autoresponse",
    "out of office autoreply", "out of office reply", "out of office", "out-of-office", "vacation reply", "vacation notice",
    "away from my mail",
    "automatische antwort", "abwesenheitsnotiz", "abwesenheitsmeldung", "automatische rückmeldung", "automatische antwort / abwesend",
    "réponse automatique", "réponse automatique d'absence du bureau", "absence du bureau", "message d'absence",
    "risposta automatica", "risposta automatica fuori sede", "fuori sede", "fuori ufficio", "assente",
    "respuesta automática", "respuesta automatica", "fuera de la oficina", "resposta automática", "resposta automatica",
    "ausência temporária", "fora do escritório", "resposta automàtica", "automatisch antwoord", "afwezigheidsbericht", "niet aanwezig",
    "autosvar", "automatiskt svar", "automatisk svar", "frånvaroavisering", "fraværsmelding", "ikke til stede",
    "automaattinen vastaus", "poissa", "automatyczna odpowiedź", "odpowiedź automatyczna", "autoodpowiedź",
    "automatická odpověď", "automatická odpoveď", "automatikus válasz", "răspuns automat", "automatski odgovor", "samodejni odgovor",
    "automaatvastus", "automātiska atbilde", "automatinis atsakymas", "automatinis atsakas", "otomatik yanıt", "otomatik cevap",
    "автоматический ответ", "автоответ", "автоматична відповідь", "автоматичен отговор", "αυτόματη απάντηση",
    "自动答复", "自动回复", "自動回覆", "自動回應", "自動応答", "自動返信", "不在通知", "자동 회신", "자동 응답", "부재중",
    "תשובה אוטומטית", "מענה אוטומטי", "رد تلقائي", "الرد التلقائي", "trả lời tự động", "การตอบกลับอัตโนมัติ", "balasan otomatis",
    "jawapan automatik",
)  # fmt: skip

_BEGINNINGS: Final = (
    *_PREFIXES, "ooo", "[auto-reply]", "[autoreply]", "[auto reply]", "(auto-reply)", "i am away", "i'm away", "away from", "on vacation",
    "i am out of", "i'm out of", "on leave", "annual leave", "vacation:", "ich bin nicht", "abwesend", "urlaub", "nicht im büro",
    "absent", "en congé", "in ferie", "sono assente", "vacaciones", "de vacaciones", "ausente", "férias", "afwezig", "met vakantie",
    "semester", "frånvarande", "fraværende", "nieobecn", "nepřítomn", "отпуск", "в отпуске", "нет на месте", "休暇", "休假",
)  # fmt: skip


_STARTS: Final = frozenset(prefix[:3] for prefix in _PREFIXES)


def is_prefixed(subject: str) -> bool:
    """The case-folded subject begins with a program's prefix and a colon, or is nothing else."""
    if subject[:3] not in _STARTS or not subject.startswith(_PREFIXES):
        return False
    head = subject[:80].replace("：", ":").partition(":")
    return head[0].strip() in _PREFIXES


def sounds_away(subject: str) -> bool:
    """The case-folded subject begins as one of an automatic reply may."""
    return subject.startswith(_BEGINNINGS)
