"""How mail servers word that a mail did not arrive. All case folded; a new server is one line."""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = (
    "undeliverable", "undelivered", "undeliverd", "non-deliver", "nondeliver", "not delivered", "delivery failure", "delivery failed",
    "delivery has failed", "delivery error", "delivery problem", "delivery status", "delivery notification", "delivery report",
    "delivery delay", "delivery temporarily", "delayed", "has been delayed", "mail delivery fail", "mail delivery",
    "message delivery fail", "failed mail", "failed delivery", "failure delivery", "failure notice", "failure notification",
    "returned mail", "returned to sender", "returned message", "returning message", "return to sender",
    "mail system error",
    "could not be delivered", "could not deliver", "couldn't be delivered", "cannot be delivered", "can't be delivered", "can not deliver",
    "unable to deliver", "warning: could not send", "warning: message", "has not yet been delivered", "undelivered mail",
    "blocked by our bulk", "message you sent", "mail failure", "mail error", "bounced", "rejected", "recipient unknown", "user unknown",
    "unzustellbar", "nicht zugestellt", "zustellung fehlgeschlagen", "zustellfehler", "fehler bei der zustellung", "übermittlungsfehler",
    "rücksendung", "verzögert", "non recapitabile", "mancato recapito", "mancata consegna", "errore di consegna",
    "messaggio non consegnato",
    "impossibile recapitare", "consegna ritardata", "non remis", "échec de la remise", "échec de remise", "non distribuable",
    "message non délivré", "retard de remise", "no se puede entregar", "no entregado", "no se pudo entregar", "error de entrega",
    "mensaje devuelto", "não entregue", "não é possível entregar", "falha na entrega", "devolvida", "onbestelbaar", "niet bezorgd",
    "kan niet worden bezorgd", "niet afgeleverd", "kan ikke leveres", "uleverbar", "kunne ikke leveres", "går inte att leverera",
    "kunde inte levereras", "olevererbart", "toimitus epäonnistui", "ei voi toimittaa", "ei voitu toimittaa", "niedostarcz",
    "nie można dostarczyć", "nie dostarczono", "nedoručit", "nelze doručit", "kézbesíthetetlen", "nem kézbesíthető", "nelivrat",
    "teslim edilemedi", "iletilemedi", "недоставлен", "не доставлен", "не удалось доставить", "не може да бъде",
    "αδύνατη η παράδοση", "配信不能", "配信できません", "送信エラー", "メールエラー", "不達", "无法投递", "未送达", "无法送达", "退信",
    "無法傳遞", "無法投遞",
    "배달되지 않음", "배달할 수 없음", "전송 실패", "반송", "לא ניתן למסירה", "تعذر تسليم", "không thể gửi", "tidak terkirim",
)  # fmt: skip
"""Words in a subject. Only asked of a machine's mail: people write them too."""

TEXTS: Final = (
    "this is the qmail-send program", "this is the postfix program", "this is the mail system at host", "this is the dragonfly mail agent",
    "created automatically by mail delivery software", "this message was created automatically", "running the courier mail server",
    "could not be delivered to", "couldn't be delivered", "cannot be delivered to", "can't be delivered", "was not delivered to",
    "wasn't delivered to", "were not delivered", "not able to be delivered", "wasn't able to deliver", "was not able to deliver",
    "unable to deliver", "did not reach the following recipient", "did not reach the following address", "following recipients failed",
    "following recipient failed", "following address(es) failed", "following addresses failed", "has failed to these recipients",
    "could not be delivered", "had permanent fatal errors", "had delivery problems", "had permanent delivery errors",
    "had transient non-fatal errors", "the following recipients were rejected", "recipients was rejected", "recipients were rejected",
    "delivery to the following recipient", "delevery to the following recipient", "delivery failed", "delivery has failed",
    "has not yet been delivered", "has not been delivered", "not yet been delivered", "has been delayed", "is delayed",
    "delivery is delayed", "there was an error delivering your mail", "error delivering", "address not found", "message blocked",
    "failure reasons", "undeliverable mail", "undelivered message", "undeliverable message", "undeliverable to",
    "the message returned below", "returned to you", "returned to the sender", "returned to sender", "mailenable: message",
    "message rejected", "was blocked by our", "was rejected by", "no valid recipients", "unrouteable address", "unroutable address",
    "unknown user", "user unknown", "no such user", "mailbox unavailable", "mailbox is full", "mailbox full", "quota exceeded",
    "over quota", "not listed in domino directory", "recipient name is not recognized", "konnte nicht zugestellt werden",
    "konnten nicht zugestellt werden", "nicht zugestellt werden", "nicht erreicht", "non è stato possibile recapitare",
    "non è stato recapitato", "non può essere recapitato", "impossibile recapitare", "n'a pas pu être remis", "n'a pas pu être délivré",
    "n'a pas été remis", "no se pudo entregar", "no se ha podido entregar", "não pôde ser entregue", "não foi possível entregar",
    "kon niet worden bezorgd", "kunde inte levereras", "kunne ikke leveres", "kunne ikke afleveres", "ei voitu toimittaa",
    "nie mogła zostać dostarczona", "nie została dostarczona", "nelze doručit", "nebylo možné doručit", "не может быть доставлено",
    "не может быть отправлено", "не удалось доставить", "не было доставлено", "teslim edilemedi", "配信できません", "送信できません",
    "お届けできません", "无法投递", "无法送达", "未能送达", "退回", "전송하지 못", "배달하지 못",
)  # fmt: skip
"""Words in the text, outside quotes. Only asked of a machine's mail."""

DELAYS: Final = (
    "warning message only", "has not yet been delivered", "not yet been delivered", "still undelivered", "message still undelivered",
    "will keep trying", "continue to try", "continue trying", "continue to attempt", "continue attempting",
    "delivery attempts will continue",
    "will be retried", "will retry", "try again later", "no action is required", "do not need to resend", "need to resend",
    "has been delayed",
    "is delayed", "message delayed", "delivery delayed", "delivery is delayed", "delivery incomplete", "temporary problem",
    "zustellung verzögert", "wird weiter versucht", "ritardat", "retardé", "retraso", "atraso", "vertraagd", "försenat", "opóźnion",
    "задерж", "遅延", "延迟",
)  # fmt: skip
GIVEN_UP: Final = (
    "given up", "giving up", "gave up", "not going to try again", "will not continue trying", "permanent", "too long", "returned to sender",
    "could not be delivered to one or more", "retry timeout exceeded", "retry time not reached for any host after a long",
)  # fmt: skip
"""Where both speak, the mail failed for good."""

ORIGINALS: Final = (
    "this is a copy of the message", "this is a copy of your message", "below this line is a copy of", "message headers follow",
    "original message follows", "original message headers", "the original message follows", "headers of the original message",
    "the header of the original message", "headers of your message", "here is a copy of", "a copy of your message", "your message follows",
    "unsent message follows", "message text follows", "returned message follows",
)  # fmt: skip
"""How a line begins, dashes aside, after which a notice quotes the mail that came back."""

ORIGINAL_LINES: Final = frozenset((
    "original message", "original mail", "returned message", "returned mail", "undelivered message", "unsent message", "rejected message",
    "message headers", "message header", "forwarded message", "start of returned message", "begin original message", "message contents",
    "original message text", "mensagem original", "mensaje original", "message original", "messaggio originale", "ursprüngliche nachricht",
    "originalnachricht", "oprindelig meddelelse", "元のメッセージ", "原始邮件", "原始郵件", "原邮件信息",
))  # fmt: skip
"""The whole of such a line."""

HEADERS: Final = ("return-path:", "received:", "message-id:", "mime-version:", "from:", "x-received:", "reporting-mta:", "dkim-signature:")
"""Fields at the beginning of a line: the mail that came back is quoted without any heading."""
