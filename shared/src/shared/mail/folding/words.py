"""Words by which mail clients mark quoted history and footers, by language.

Seen in what the clients write: Gmail, Outlook, Apple Mail, Thunderbird, Yahoo, Samsung, Zoho, GMX, K-9. A language none of them is
listed for is still recognised where the shape alone tells (`folding_attributions`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a line of a header block gives."""

    FROM = "from"
    DATE = "date"
    TO = "to"
    SUBJECT = "subject"
    OTHER = "other"


def _listed(words: str) -> list[str]:
    return [" ".join(word.split()).casefold() for word in words.split("|")]


_LABELS: Final = {
    Role.FROM: """from | da | de | von | van | fra | från | lähettäjä | od | feladó | de la | expeditor | от | от кого | від | από
        | αποστολέας | kimden | gönderen | 差出人 | 送信者 | 送信元 | 发件人 | 發件人 | 寄件者 | 寄件人 | 보낸 사람 | 보낸사람
        | 발신인 | 발신자 | מאת | من | šalje | pošiljatelj | pošiljalac | từ | người gửi""",
    Role.DATE: """sent | date | sent on | inviato | inviata | inviato il | data | envoyé | envoyé le | envoyée | date d'envoi
        | date d’envoi | message du | gesendet | gesendet am | datum | enviado | enviado el | enviada em | enviado em | enviada
        | fecha | fecha de envío | data de envio | verzonden | verstuurd | verzonden op | sendt | dato | skickat | skickat den
        | lähetetty | päivämäärä | päiväys | pvm | wysłano | wysłane | wysłany | wysłana | odesláno | odoslané | dátum
        | elküldve | küldés ideje | küldve | trimis | trimis la | dată | отправлено | дата | послано | дата отправки | надіслано
        | відправлено | изпратено | στάλθηκε | ημερομηνία | εστάλη | αποστολή | gönderildi | tarih | gönderme tarihi
        | gönderme zamanı | 送信日時 | 日時 | 日付 | 送信日 | 发送时间 | 發送時間 | 日期 | 时间 | 時間 | 发送日期 | 寄件日期
        | 傳送日期 | 傳送時間 | 보낸 날짜 | 보낸날짜 | 날짜 | 보낸 시간 | 보낸시간 | נשלח | תאריך | נשלח בתאריך | تاريخ الإرسال
        | التاريخ | أرسلت | تم الإرسال | enviat | enviat el | poslano | poslato | đã gửi | ngày | ngày gửi | vào ngày""",
    Role.TO: """to | a | à | an | para | aan | til | till | vastaanottaja | kenelle | do | komu | pro | pre | címzett | către | catre
        | la | кому | до | προς | kime | alıcı | 宛先 | 收件人 | 收件者 | 받는 사람 | 받는사람 | 수신인 | 수신자 | אל | עבור
        | إلى | per a | per | prima | za | primatelj | prejemnik | đến | tới | gửi đến | người nhận""",
    Role.SUBJECT: """subject | oggetto | objet | sujet | betreff | asunto | assunto | onderwerp | emne | ämne | aihe | temat | předmět
        | predmet | tárgy | subiect | subiectul | тема | относно | θέμα | konu | 件名 | 主题 | 主旨 | 主題 | 제목 | נושא
        | الموضوع | assumpte | naslov | zadeva | chủ đề | tiêu đề""",
    Role.OTHER: """cc | bcc | ccn | cci | copie à | copie | kopie | kopia | kopi | kopio | dw | do wiadomości | kópia | másolatot kap
        | másolat | копия | копія | копие | κοιν. | κοινοποίηση | bilgi | 抄送 | 副本 | 참조 | העתק | עותק | نسخة | a/c | kopija
        | kp | đồng gửi | con copia | con copia a | reply-to | reply to | risposta | rispondi a | répondre à | antwort an
        | responder a | attachments | allegati | pièces jointes | anlagen | bijlagen | datos adjuntos | anexos | importance
        | priorità""",
}
LABELS: Final = {label: role for role, labels in _LABELS.items() for label in _listed(labels)}
LONGEST_LABEL: Final = max(map(len, LABELS)) + 4

VERBS: Final = frozenset(
    _listed(
        """wrote | writes | scritto | scrive | écrit | schrieb | schreibt | geschrieben | escribió | escribio | escreveu | schreef
        | geschreven | skrev | skrevet | kirjoitti | napisał | napisała | napisal | napisala | pisze | napsal | napsala
        | napísal | napísala | napisao | написао | написала | írta | scris | написал | пишет | написав | пише | написа | έγραψε
        | yazdı | yazmış | כתב | כתבה | كتب | كتبت | كتابة | viết | escrit | escriure | rašė | rakstīja | kirjutas | menulis
        | missatge"""
    )
)
BEFORE_THE_NAME: Final = frozenset(_listed("""schrieb | schreef | skrev | כתב | כתבה | كتب | كتبت | كتابة | kirjutas"""))
"""Those that stand between the date and the name."""
WITHOUT_SPACES: Final = "写道|寫道|写到|のメール|書きました|작성|쓴 글|님이|เขียนว่า"
"""Verbs of languages without spaces, or grown together with the name: a pattern."""
QUOTING: Final = frozenset(_listed("""quoting | quote | zitat | citando | citazione | citerar | citat | citation | citât | cytowanie"""))
PRONOUNS: Final = frozenset(
    _listed(
        """i | you | we | he | she | they | ich | du | sie | er | wir | ihr | io | tu | lei | lui | noi | voi | ho | hai | abbiamo
        | avete | j | ai | vous | nous | il | elle | yo | usted | tú | él | ella | nosotros | eu | você | nós | ele | ela | ik
        | jij | u | wij | hij | jag | ni | vi | jeg | minä | sinä | hän | pani | já | vy | я | ты | вы | мы | он | она | ben
        | sen | biz | siz | εγώ | εσύ | εσείς"""
    )
)
"""Who wrote it, when it is somebody's own sentence and no line of a mail client."""

ORIGINAL: Final = frozenset(
    _listed(
        """original message | original mail | original email | original appointment | reply message | replied message
        | messaggio originale | messaggio inviato | message d'origine | message d’origine | message original | message initial
        | ursprüngliche nachricht | originalnachricht | original-nachricht | originalmeldung | ursprüngliche mail
        | mensaje original | mensaje inicial | mensagem original | oorspronkelijk bericht | origineel bericht
        | oprindelig meddelelse | oprindelig besked | original meddelelse | ursprungligt meddelande | originalmeddelande
        | opprinnelig melding | original melding | alkuperäinen viesti | wiadomość oryginalna | oryginalna wiadomość
        | treść oryginalnej wiadomości | původní zpráva | originální zpráva | původní e-mail | pôvodná správa | eredeti üzenet
        | mesaj original | mesajul original | исходное сообщение | оригинальное сообщение | пересылаемое сообщение
        | вихідне повідомлення | оригінальне повідомлення | первинне повідомлення | оригинално съобщение | αρχικό μήνυμα
        | orijinal mesaj | özgün ileti | asıl mesaj | orijinal ileti | 元のメッセージ | オリジナルメッセージ | 原始邮件 | 原邮件
        | 原始郵件 | 原始訊息 | 邮件原件 | 원본 메시지 | 원본메시지 | 원본 이메일 | הודעה מקורית | ההודעה המקורית
        | الرسالة الأصلية | رسالة أصلية | missatge original | izvorna poruka | originalna poruka | izvirno sporočilo
        | originalno sporočilo | thư gốc | tin nhắn gốc"""
    )
)
FORWARDED: Final = frozenset(
    _listed(
        """forwarded message | forwarded email | forwarded by me | begin forwarded message | messaggio inoltrato
        | inizio messaggio inoltrato | inizio del messaggio inoltrato | message transféré | message réexpédié
        | début du message réexpédié | début du message transféré | weitergeleitete nachricht
        | anfang der weitergeleiteten nachricht | anfang der weitergeleiteten e-mail | mensaje reenviado
        | inicio del mensaje reenviado | mensagem encaminhada | mensagem reencaminhada | início da mensagem encaminhada
        | início da mensagem reencaminhada | doorgestuurd bericht | begin doorgestuurd bericht | begin van doorgestuurd bericht
        | videresendt besked | videresendt meddelelse | start på videresendt besked | vidarebefordrat meddelande
        | vidarebefordrat brev | videresendt melding | start på videresendt melding | välitetty viesti | välitetty viesti alkaa
        | edelleenlähetetty viesti | przekazana wiadomość | wiadomość przekazana | początek przekazanej wiadomości
        | początek przekazywanej wiadomości | přeposlaná zpráva | přeposílaná zpráva | začátek přeposílané zprávy
        | začátek přeposlané zprávy | preposlaná správa | začiatok preposlanej správy | továbbított üzenet | továbbított levél
        | továbbított levél kezdete | mesaj redirecționat | mesaj redirectionat | începutul mesajului redirecționat
        | пересланное сообщение | пересылаемое сообщение | начало переадресованного сообщения | переслане повідомлення
        | початок переадресованого повідомлення | препратено съобщение | προωθημένο μήνυμα | αρχή προωθημένου μηνύματος
        | iletilen mesaj | yönlendirilen mesaj | iletilmiş mesajın başlangıcı | iletilen mesajın başlangıcı | 転送メッセージ
        | 転送されたメッセージ | 转发邮件 | 转发的邮件 | 以下是转发的邮件 | 轉寄郵件 | 轉寄的郵件 | 以下是轉寄的郵件
        | 已转发邮件 | 已轉寄郵件 | 전달된 메시지 | 전달된 메일 | הודעה שהועברה | הודעה מועברת | תחילת ההודעה שהועברה
        | رسالة معاد توجيهها | الرسالة المعاد توجيهها | بداية الرسالة المعاد توجيهها | missatge reenviat
        | inici del missatge reenviat | proslijeđena poruka | posredovano sporočilo | thư được chuyển tiếp
        | bắt đầu thư được chuyển tiếp | tin nhắn chuyển tiếp"""
    )
)

SENT_FROM: Final = tuple(
    _listed(
        """sent from | sent via | sent with | sent using | sent by galaxy | sent by samsung | get outlook for | inviato da
        | inviato dal | inviata da | inviato con | inviato tramite | ottieni outlook | scarica outlook | envoyé de
        | envoyé depuis | envoyé à partir | envoyé avec | envoyé via | envoyé d’ | envoyé d' | obtenir outlook | obtenez outlook
        | télécharger outlook | téléchargez outlook | gesendet von | gesendet mit | gesendet über | holen sie sich outlook
        | enviado desde | enviado con | enviado de | enviado do | enviado por | enviado a partir | enviado através | enviado via
        | enviado pelo | obtener outlook | obtén outlook | descargar outlook | obter o outlook | obter outlook | baixe o outlook
        | verzonden vanaf | verzonden met | verstuurd vanaf | verstuurd met | verzonden via | verzonden van
        | download outlook voor | sendt fra | sendt med | sendt via | hent outlook | få outlook | skickat från | skickat med
        | skickat via | hämta outlook | skaffa outlook | skaff outlook | skaff deg outlook | lähetetty | hanki outlook
        | wysłane z | wysłano z | wysłane za | pobierz program outlook | pobierz aplikację outlook | uzyskaj program outlook
        | pobierz outlook | odesláno z | odoslané z | poslané z | stáhnout outlook | získat outlook | získajte outlook
        | získať outlook | trimis de | trimis din | trimis cu | obțineți outlook | descărcați outlook | отправлено с
        | отправлено из | отправлено со | скачать outlook | получить outlook | скачайте outlook | надіслано з | надіслано із
        | відправлено з | отримати outlook | изпратено от | изпратено с | изтеглете outlook | στάλθηκε από | εστάλη από
        | απεστάλη από | λήψη του outlook | αποκτήστε το outlook | 发自 | 寄自我的 | 傳送自 | 发送自 | 获取 outlook
        | 下载 outlook | 取得 outlook | נשלח מ | השג את outlook | קבל את outlook | أرسلت من | أُرسلت من | تم الإرسال من
        | الحصول على outlook | enviat des | enviat amb | poslano s | poslano sa | poslano iz | poslano z | preuzmite outlook
        | đã gửi từ | được gửi từ | gửi từ | tải outlook | lấy outlook | messaggio inviato da dispositivo
        | messaggio inviato dal mio | messaggio inviato con"""
    )
)
"""Beginnings of a footer. The line must name a device or a program besides."""
SENT_AROUND: Final = tuple(
    (tuple(_listed(begins)), tuple(_listed(ends)))
    for begins, ends in (
        ("von meinem | von meiner | diese nachricht wurde | diese e-mail wurde | diese mail wurde", "gesendet | verschickt | geschrieben"),
        (
            "iphon | ipad | ipod | galaxy | samsung | android | outlook | gmail | yahoo",
            "dan gönderildi | den gönderildi | ról küldve | ről küldve | から送信 | から送信されました | 에서 보냄 | 에서 발송",
        ),
        ("나의 | 내 | 從我的 | 从我的", "에서 보냄 | 에서 발송 | 에서 보냈습니다 | 傳送 | 寄出 | 发送 | 发出"),
        ("outlook | ios", "beziehen | herunterladen | downloaden | edinin | を入手 | を入手する | 다운로드 | 받기"),
    )
)
"""Beginnings that make a footer only with one of the ends."""
DEVICES: Final = tuple(
    _listed(
        """phone | ipad | ipod | iphon | galaxy | samsung | android | mobile | mobil | blackberry | huawei | xiaomi | redmi
        | oneplus | pixel | nokia | xperia | motorola | oppo | realme | htc | alcatel | handy | tablet | device | cell | telefon
        | téléphone | telefono | teléfono | telefone | telemóvel | celular | móvil | portable | portatile | dispositivo
        | cellulare | gerät | outlook | yahoo | airmail | mailbox | proton | thunderbird | k-9 | fairemail | bluemail
        | blue mail | spark | gmail | gmx | web.de | libero | tiscali | virgilio | windows | macbook | imac | apple | mail for
        | mail per | mail pour | mail für | mail para | mail voor | mail til | mail för | posta per | смартфон | телефон
        | устройства | почта | яндекс | mail.ru | 手机 | 手機 | 휴대폰 | 갤럭시 | スマートフォン | טלפון | נייד | הטלפון
        | الهاتف | هاتفي | điện thoại | puhelim | κινητό | smart"""
    )
)
"""Parts of names."""
APOLOGIES: Final = tuple(
    _listed(
        """excuse | typo | brevity | forgive | pardon | sorry for | entschuldig | tippfehler | scusa | errori di | excusez | fautes
        | disculp | errores | desculp | erros | excuses voor | fejl | ursäkta | stavfel | извин | опечат"""
    )
)
"""For typing errors, behind the name of the device."""

FORWARD_PREFIXES: Final = frozenset(
    _listed(
        """fw | fwd | wg | i | tr | rv | enc | doorst | vb | vl | pd | přep | ilt | továbbítás | пересл | πρθ | 转发 | 轉寄 | 转寄 | 転送
        | 전달 | הועבר | إعادة توجيه"""
    )
)
"""Of subjects, as mail programs write them."""
