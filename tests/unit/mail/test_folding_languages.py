"""Attributions, header blocks, marks and footers as the mail clients of the world write them: new text above, history below."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mail.folding.folds import folds
from shared.mail.model import FoldKind, unfolded

NEW: Final = "Thank you, that helps.\n\nBest regards\nAnna"
HISTORY: Final = "Dear Anna,\n\nthe lamp is on its way.\n\nKind regards\nBob"
QUOTED: Final = "\n".join(f"> {line}".rstrip() for line in HISTORY.split("\n"))
BOB: Final = "Bob Example <bob@example.com>"

SURE: Final = {
    "en gmail": f"On Mon, Nov 23, 2026 at 10:00 AM {BOB} wrote:",
    "en apple": f"On Nov 23, 2026, at 10:00 AM, {BOB} wrote:",
    "en apple without address": "On 23 Nov 2026, at 10:00, Bob Example wrote:",
    "en thunderbird": "On 11/23/2026 10:00 AM, Bob Example wrote:",
    "en roundcube": "On 2026-11-23 10:00, Bob Example wrote:",
    "en yahoo": f"On Monday, November 23, 2026 at 10:00:00 AM GMT+1, {BOB} wrote:",
    "en fastmail": "On Mon, Nov 23, 2026, at 10:00 AM, Bob Example wrote:",
    "en zoho": f"---- On Mon, 23 Nov 2026 10:00:00 +0100 {BOB} wrote ----",
    "en without colon": f"On Mon, 23 Nov 2026 10:00:00 +0100 {BOB} wrote",
    "en bold": f"*On Mon, 23 Nov 2026 at 10:00, {BOB} wrote:*",
    "en proton": f"On Monday, November 23rd, 2026 at 10:00 AM, {BOB} wrote:",
    "iso date": f"2026-11-23 10:00 GMT+01:00 {BOB}:",
    "iso date, name in quotes": '2026-11-23 10:00 GMT+01:00 "Bob Example" <bob@example.com>:',
    "it gmail": f"Il giorno lun 23 nov 2026 alle ore 10:00 {BOB} ha scritto:",
    "it thunderbird": "Il 23/11/2026 10:00, Bob Example ha scritto:",
    "it libero": 'Il 23 novembre 2026 alle 10.00 "Bob Example" <bob@example.com> ha scritto:',
    "it apple": f"Il giorno 23 nov 2026, alle ore 10:00, {BOB} ha scritto:",
    "it kmail": f"In data lunedì 23 novembre 2026 10:00:00 CET, {BOB} ha scritto:",
    "fr gmail": f"Le lun. 23 nov. 2026 à 10:00, {BOB} a écrit :",
    "fr apple": f"Le 23 nov. 2026 à 10:00, {BOB} a écrit :",
    "fr thunderbird": "Le 23/11/2026 à 10:00, Bob Example a écrit :",
    "fr narrow space": f"Le lun. 23 nov. 2026 à 10:00, {BOB} a écrit\u202f:",
    "de gmail": f"Am Mo., 23. Nov. 2026 um 10:00 Uhr schrieb {BOB}:",
    "de apple": f"Am 23.11.2026 um 10:00 schrieb {BOB}:",
    "de thunderbird": "Am 23.11.26 um 10:00 schrieb Bob Example:",
    "de roundcube": "Am 2026-11-23 10:00, schrieb Bob Example:",
    "es gmail": f"El lun, 23 nov 2026 a las 10:00, {BOB} escribió:",
    "es thunderbird": "El 23/11/2026 a las 10:00, Bob Example escribió:",
    "es brackets": "El lun., 23 nov. 2026 a las 10:00, Bob Example (<bob@example.com>) escribió:",
    "pt-br gmail": f"Em seg., 23 de nov. de 2026 às 10:00, {BOB} escreveu:",
    "pt-pt gmail": f"{BOB} escreveu no dia segunda, 23/11/2026 à(s) 10:00:",
    "pt thunderbird": "Em 23/11/2026 10:00, Bob Example escreveu:",
    "nl gmail": f"Op ma 23 nov 2026 om 10:00 schreef {BOB}:",
    "nl apple": f"Op 23 nov. 2026, om 10:00 heeft {BOB} het volgende geschreven:",
    "nl thunderbird": "Op 23-11-2026 om 10:00 schreef Bob Example:",
    "da gmail": f"Den man. 23. nov. 2026 kl. 10.00 skrev {BOB}:",
    "da apple": f"Den 23. nov. 2026 kl. 10.00 skrev {BOB}:",
    "sv gmail": f"Den mån 23 nov. 2026 kl 10:00 skrev {BOB}:",
    "sv apple": f"23 nov. 2026 kl. 10:00 skrev {BOB}:",
    "no gmail": f"man. 23. nov. 2026 kl. 10:00 skrev {BOB}:",
    "no thunderbird": "Den 23.11.2026 10:00, skrev Bob Example:",
    "fi gmail": "ma 23. marrask. 2026 klo 10.00 Bob Example (bob@example.com) kirjoitti:",
    "fi apple": f"{BOB} kirjoitti 23.11.2026 kello 10.00:",
    "pl gmail": f"pon., 23 lis 2026 o 10:00 {BOB} napisał(a):",
    "pl thunderbird": "W dniu 23.11.2026 o 10:00, Bob Example pisze:",
    "pl wp": f"Dnia 23 listopada 2026 10:00 {BOB} napisał(a):",
    "cs gmail": f"po 23. 11. 2026 v 10:00 odesílatel {BOB} napsal:",
    "cs thunderbird": "Dne 23. 11. 2026 v 10:00 Bob Example napsal(a):",
    "sk gmail": f"po 23. 11. 2026 o 10:00 {BOB} napísal(a):",
    "sk thunderbird": "Dňa 23. 11. 2026 o 10:00 Bob Example napísal(a):",
    "hu gmail": f"{BOB} ezt írta (időpont: 2026. nov. 23., H, 10:00):",
    "hu thunderbird": "2026. 11. 23. 10:00 keltezéssel, Bob Example írta:",
    "ro gmail": f"În lun., 23 nov. 2026 la 10:00, {BOB} a scris:",
    "ro thunderbird": "Pe 23.11.2026 10:00, Bob Example a scris:",
    "ru gmail": f"пн, 23 нояб. 2026 г. в 10:00, {BOB}:",
    "ru thunderbird": "23.11.2026 10:00, Bob Example пишет:",
    "ru mail.ru": f"Понедельник, 23 ноября 2026, 10:00 +03:00 от {BOB}:",
    "ru yandex": f"23.11.2026, 10:00, {BOB}:",
    "ru apple": f"23 нояб. 2026 г., в 10:00, {BOB} написал(а):",
    "uk gmail": f"пн, 23 лист. 2026 р. о 10:00 {BOB} пише:",
    "uk thunderbird": "23.11.2026 10:00, Bob Example пише:",
    "el gmail": f"Στις Δευ, 23 Νοε 2026 στις 10:00 π.μ., ο/η {BOB} έγραψε:",
    "el thunderbird": "Στις 23/11/2026 10:00, ο/η Bob Example έγραψε:",
    "tr gmail": f"{BOB}, 23 Kas 2026 Pzt, 10:00 tarihinde şunu yazdı:",
    "tr thunderbird": "23.11.2026 10:00 tarihinde Bob Example yazdı:",
    "ja gmail": f"2026年11月23日(月) 10:00 {BOB}:",
    "ja apple": f"2026/11/23 10:00、{BOB}のメール:",
    "ja thunderbird": "On 2026/11/23 10:00, Bob Example wrote:",
    "zh-cn gmail": f"{BOB} 于2026年11月23日周一 10:00写道：",
    "zh-tw gmail": f"{BOB} 於 2026年11月23日 週一 上午10:00寫道：",
    "zh apple": f"在 2026年11月23日，10:00，{BOB} 写道：",
    "zh thunderbird": "在 2026/11/23 10:00, Bob Example 写道:",
    "ko gmail": f"2026년 11월 23일 (월) 오전 10:00, {BOB}님이 작성:",
    "ko apple": f"2026. 11. 23. 오전 10:00, {BOB} 작성:",
    "ko thunderbird": "2026-11-23 오전 10:00에 Bob Example 이(가) 쓴 글:",
    "he gmail": "\u202bבתאריך יום ב׳, 23 בנוב׳ 2026 ב-10:00 מאת \u202aBob Example\u202c\u200f <\u202abob@example.com\u202c\u200f>:\u202c",
    "he apple": f"ב-23 בנוב׳ 2026, בשעה 10:00, {BOB} כתב:",
    "ar gmail": f"في الاثنين، 23 نوفمبر 2026 في 10:00 ص تمت كتابة ما يلي بواسطة \u202a{BOB}\u202c\u200f:",
    "ar arabic digits": "في ٢٣/١١/٢٠٢٦ ١٠:٠٠ ص، كتب Bob Example:",
    "ca gmail": f"Missatge de {BOB} del dia dl., 23 de nov. 2026 a les 10:00:",
    "ca thunderbird": "El 23/11/2026 a les 10:00, Bob Example ha escrit:",
    "hr gmail": f"pon, 23. stu 2026. u 10:00 {BOB} napisao je:",
    "sl gmail": f"V V pon., 23. nov. 2026 ob 10:00 je oseba {BOB} napisala:",
    "sl thunderbird": "Dne 23.11.2026 ob 10:00 je Bob Example napisal(a):",
    "bg gmail": f"На пн, 23.11.2026 г. в 10:00 {BOB} написа:",
    "vi gmail": f"Vào Th 2, 23 thg 11, 2026 vào lúc 10:00 {BOB} đã viết:",
    "sr gmail": f"пон, 23. нов 2026. у 10:00 {BOB} је написао/ла:",
    "lt gmail": f"2026-11-23, pr, 10:00 {BOB} rašė:",
    "lv gmail": "Lietotājs Bob Example (<bob@example.com>) rakstīja (pirmd., 2026. g. 23. nov., plkst. 10:00):",
    "et gmail": "Kuupäev E, 23. november 2026 kell 10:00 kirjutas Bob Example (<bob@example.com>):",
    "id gmail": f"Pada tanggal Sen, 23 Nov 2026 pukul 10.00 {BOB} menulis:",
    "th gmail": f"ในวันที่ จ. 23 พ.ย. 2026 เวลา 10:00 {BOB} เขียนว่า:",
    "not listed (Basque)": f"2026(e)ko aza. 23(a) 10:00(e)an, {BOB}:",
    "not listed (Swahili)": f"Jtt, 23 Nov 2026 saa 10:00, {BOB} aliandika:",
}
"""Enough alone: all below them is history even without `>`."""

BEFORE_QUOTES: Final = {
    "en with date alone": "On Monday, 23 November 2026, Bob Example wrote:",
    "en pine": "On Mon, 23 Nov 2026, you wrote:",
    "en gnus": f"{BOB} writes:",
    "en horde": f"Quoting {BOB}:",
    "en k-9": "Bob Example via Desk <desk@example.com> wrote:",
    "en usenet": "In article <123@news.example.com>, Bob Example wrote:",
    "de horde": f"Zitat von {BOB}:",
    "de k-9": f"{BOB} schrieb:",
    "es date alone": "El lunes, 23 de noviembre de 2026, Bob Example escribió:",
    "fi thunderbird": "Bob Example kirjoitti 23.11.2026 klo 10.00:",
    "any language": "Lau 23. nov 2026 10:00, Bob Example skráði:",
}
"""Attributions only because quoted lines follow."""


def head(names: str, date: str = "Monday, 23 November 2026 10:00") -> str:
    from_, sent, to, subject = names.split("|")
    return f"{from_} {BOB}\n{sent} {date}\n{to} Anna Rossi <anna@example.com>\n{subject} Re: The lamp"


HEADERS: Final = {
    "en": head("From:|Sent:|To:|Subject:"),
    "en apple": f"From: {BOB}\nSubject: Re: The lamp\nDate: 23 November 2026 at 10:00:00 CET\nTo: Anna <anna@example.com>",
    "en mac outlook": head("From:|Date:|To:|Subject:"),
    "en without subject": f"From: {BOB}\nSent: 23 November 2026\nTo: Anna",
    "en bold": head("*From:*|*Sent:*|*To:*|*Subject:*"),
    "en rule": "________________________________\n" + head("From:|Sent:|To:|Subject:"),
    "en html rule": "---\n\n" + head("From:|Sent:|To:|Subject:"),
    "en long list of recipients": head("From:|Sent:|To:|Subject:").replace(
        "anna@example.com>", "anna@example.com>;\n Carl <c@example.com>;\n Dora"
    ),
    "en original": "-----Original Message-----\n" + head("From:|Sent:|To:|Subject:"),
    "en original alone": "-------- Original Message --------",
    "en notes": f"From:\t{BOB}\nTo:\tAnna/ACME\nDate:\t23.11.2026 10:00\nSubject:\tRe: The lamp",
    "it": head("Da:|Inviato:|A:|Oggetto:"),
    "it data": "-----Messaggio originale-----\n" + head("Da:|Data:|A:|Oggetto:"),
    "fr": head("De :|Envoyé :|À :|Objet :"),
    "fr nbsp": head("De\u00a0:|Envoyé\u00a0:|À\u00a0:|Objet\u00a0:"),
    "fr original": "-----Message d'origine-----\n" + head("De :|Envoyé :|À :|Objet :"),
    "de": head("Von:|Gesendet:|An:|Betreff:"),
    "de gmx": f"Gesendet: Montag, 23. November 2026 um 10:00 Uhr\nVon: {BOB}\nAn: anna@example.com\nBetreff: Re: The lamp",
    "de original": "-----Ursprüngliche Nachricht-----\n" + head("Von:|Gesendet:|An:|Betreff:"),
    "es": head("De:|Enviado:|Para:|Asunto:"),
    "es original": "-----Mensaje original-----\n" + head("De:|Enviado el:|Para:|Asunto:"),
    "pt": head("De:|Enviado:|Para:|Assunto:"),
    "pt original": "-----Mensagem original-----\n" + head("De:|Enviada em:|Para:|Assunto:"),
    "nl": head("Van:|Verzonden:|Aan:|Onderwerp:"),
    "nl original": "-----Oorspronkelijk bericht-----\n" + head("Van:|Verzonden:|Aan:|Onderwerp:"),
    "da": head("Fra:|Sendt:|Til:|Emne:"),
    "sv": head("Från:|Skickat:|Till:|Ämne:"),
    "no": head("Fra:|Sendt:|Til:|Emne:"),
    "fi": head("Lähettäjä:|Lähetetty:|Vastaanottaja:|Aihe:"),
    "pl": head("Od:|Wysłano:|Do:|Temat:"),
    "cs": head("Od:|Odesláno:|Komu:|Předmět:"),
    "cs original": "-----Původní zpráva-----\n" + head("Od:|Odesláno:|Komu:|Předmět:"),
    "sk": head("Od:|Odoslané:|Komu:|Predmet:"),
    "hu": head("Feladó:|Elküldve:|Címzett:|Tárgy:"),
    "ro": head("De la:|Trimis:|Către:|Subiect:"),
    "ru": head("От:|Отправлено:|Кому:|Тема:"),
    "uk": head("Від:|Надіслано:|Кому:|Тема:"),
    "bg": head("От:|Изпратено:|До:|Относно:"),
    "el": head("Από:|Στάλθηκε:|Προς:|Θέμα:"),
    "tr": head("Kimden:|Gönderildi:|Kime:|Konu:"),
    "ja": head("差出人:|送信日時:|宛先:|件名:"),
    "ja wide colon": head("差出人：|日時：|宛先：|件名："),
    "zh-cn": head("发件人:|发送时间:|收件人:|主题:"),
    "zh-cn wide colon": head("发件人：|发送时间：|收件人：|主题："),
    "zh-tw": head("寄件者:|寄件日期:|收件者:|主旨:"),
    "ko": head("보낸 사람:|보낸 날짜:|받는 사람:|제목:"),
    "he": head("מאת:|נשלח:|אל:|נושא:"),
    "ar": head("من:|تاريخ الإرسال:|إلى:|الموضوع:"),
    "ca": head("De:|Enviat el:|Per a:|Assumpte:"),
    "hr": head("Šalje:|Poslano:|Prima:|Predmet:"),
    "sl": head("Od:|Poslano:|Za:|Zadeva:"),
    "vi": head("Từ:|Đã gửi:|Đến:|Chủ đề:"),
}

FORWARDS: Final = [
    "---------- Forwarded message ---------",
    "-------- Forwarded Message --------",
    "Begin forwarded message:",
    "Inizio messaggio inoltrato:",
    "---------- Messaggio inoltrato ---------",
    "-------- Messaggio Inoltrato --------",
    "Début du message réexpédié :",
    "-------- Message transféré --------",
    "Anfang der weitergeleiteten Nachricht:",
    "-------- Weitergeleitete Nachricht --------",
    "Inicio del mensaje reenviado:",
    "---------- Mensagem encaminhada ---------",
    "---------- Doorgestuurd bericht ---------",
    "-------- Přeposlaná zpráva --------",
    "-------- Пересылаемое сообщение --------",
    "Начало переадресованного сообщения:",
    "---------- 转发的邮件 ---------",
    "転送されたメッセージ:",
    "----- 전달된 메시지 -----",
    "\u200f---------- הודעה שהועברה ---------",
]

FOOTERS: Final = [
    "Sent from my iPhone",
    "Sent from my iPad.",
    "Sent from my Galaxy",
    "Sent from my Samsung Galaxy smartphone.",
    "Sent from my mobile phone. Please excuse typos and brevity.",
    "Sent from Outlook for iOS",
    "Sent from Outlook for Android<https://aka.ms/abc>",
    "Sent from Yahoo Mail on Android",
    "Sent from Yahoo Mail for iPhone<https://mail.example.com/>",
    "Sent from Mail for Windows",
    "Sent with Proton Mail secure email.",
    "Sent via BlackBerry",
    "Get Outlook for iOS",
    "Get Outlook for Android<https://aka.ms/abc>",
    "Get Outlook for Mac <https://aka.ms/abc>",
    "Inviato da iPhone",
    "Inviato dal mio iPad",
    "Inviato da Outlook per Android<https://aka.ms/abc>",
    "Ottieni Outlook per iOS<https://aka.ms/abc>",
    "Inviato dal mio dispositivo Samsung",
    "Envoyé de mon iPhone",
    "Envoyé depuis mon téléphone Android",
    "Envoyé à partir de Outlook pour iOS",
    "Télécharger Outlook pour Android",
    "Von meinem iPhone gesendet",
    "Von meinem Samsung Galaxy Smartphone gesendet.",
    "Gesendet von Outlook für iOS",
    "Gesendet mit der GMX Mail App",
    "Holen Sie sich Outlook für iOS<https://aka.ms/abc>",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Enviado desde mi iPhone",
    "Enviado desde Outlook para Android",
    "Obtener Outlook para iOS",
    "Enviado do meu iPhone",
    "Enviado do Outlook para Android",
    "Obter o Outlook para iOS",
    "Verstuurd vanaf mijn iPhone",
    "Verzonden vanuit Outlook voor iOS",
    "Sendt fra min iPhone",
    "Sendt fra Outlook til Android",
    "Skickat från min iPhone",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone'a",
    "Wysłane z iPada",
    "Odesláno z iPhonu",
    "Odoslané z iPhonu",
    "iPhone-omról küldve",
    "Trimis de pe iPhone-ul meu",
    "Отправлено с iPhone",
    "Надіслано з iPhone",
    "Изпратено от моя iPhone",
    "Στάλθηκε από το iPhone μου",
    "iPhone'umdan gönderildi",
    "iPhoneから送信",
    "发自我的 iPhone",
    "從我的 iPhone 傳送",
    "나의 iPhone에서 보냄",
    "\u200fנשלח מה-iPhone שלי",
    "تم الإرسال من الـ iPhone الخاص بي",
    "Enviat des del meu iPhone",
    "Poslano s mog iPhonea",
    "Poslano iz mojega iPhona",
    "Đã gửi từ iPhone của tôi",
]


def new_text(text: str) -> str:
    return unfolded(text, folds(text)).strip()


@pytest.mark.parametrize("history", [HISTORY, QUOTED], ids=["unmarked", "marked"])
@pytest.mark.parametrize("line", SURE.values(), ids=SURE.keys())
def test_an_attribution_of_any_client_begins_the_history(line: str, history: str) -> None:
    for gap in ("\n", "\n\n"):
        assert new_text(f"{NEW}\n\n{line}{gap}{history}") == NEW


@pytest.mark.parametrize("line", SURE.values(), ids=SURE.keys())
@pytest.mark.parametrize("width", [30, 44, 60])
def test_an_attribution_wrapped_at_any_width_is_one(line: str, width: int) -> None:
    words, wrapped = line.split(" "), [""]
    for word in words:
        if len(wrapped[-1]) + len(word) > width:
            wrapped.append("")
        wrapped[-1] += f" {word}" if wrapped[-1] else word
    if len(wrapped) > 4:
        pytest.skip("no client wraps it over more than four lines")
    assert new_text(f"{NEW}\n\n" + "\n".join(wrapped) + f"\n{QUOTED}") == NEW


@pytest.mark.parametrize("line", BEFORE_QUOTES.values(), ids=BEFORE_QUOTES.keys())
def test_a_vague_attribution_is_one_before_quoted_lines_only(line: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n{QUOTED}") == NEW
    sentence = f"{NEW}\n\n{line}\n{HISTORY}"
    assert new_text(sentence) == sentence


@pytest.mark.parametrize("block", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_block_of_any_language_begins_the_history(block: str) -> None:
    assert new_text(f"{NEW}\n\n{block}\n\n{HISTORY}") == NEW
    assert new_text(f"{NEW}\n\n\n{block}\n{HISTORY}") == NEW


@pytest.mark.parametrize("line", FORWARDS)
def test_what_is_forwarded_is_what_the_mail_is_about(line: str) -> None:
    """Also behind a note: a desk that got `please handle this` needs the mail below it."""
    for note in ("", "Please see below.\n\n", "Please see below.\n\nSent from my iPhone\n\n"):
        forwarded = f"{line}\n\n{HEADERS['en']}\n\n{HISTORY}\n\nOn 1 Nov 2026 at 10:00, Anna <anna@example.com> wrote:\n> Where is it?"
        kept = new_text(f"{note}{forwarded}")
        assert kept.endswith(forwarded.strip())
        assert "Sent from my" not in kept


@pytest.mark.parametrize("line", FOOTERS)
def test_what_a_device_adds_is_a_signature(line: str) -> None:
    for below in ("", f"\n\n{SURE['en gmail']}\n\n{QUOTED}", f"\n\n________________________________\n{HEADERS['en']}\n\n{HISTORY}"):
        text = f"{NEW}\n\n{line}{below}"
        assert new_text(text) == NEW
        assert folds(text)[0].kind is FoldKind.SIGNATURE
