"""Bounces that are text alone, after the formats of the usual mail servers, and what can be read from each."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import Final

from tests.kit.machine_mails import ABOUT, GONE, OURS, mail


@dataclass(frozen=True, slots=True)
class Notice:
    """A bounce that is text alone, and what can be read from it."""

    name: str
    sender: str
    subject: str
    text: str
    status: str = ""
    smtp_code: str = ""
    delayed: bool = False
    fields: str = ""
    about: bool = True

    @property
    def raw(self) -> bytes:
        return mail(f"From: {self.sender}\nTo: {OURS}\nSubject: {self.subject}\n{self.fields}", dedent(self.text).strip("\n"))


_COPY: Final = f"Message-ID: {ABOUT}\n        From: {OURS}\n        To: {GONE}\n        Subject: Your printer\n\n        Good morning\n"
_DAEMON: Final = "MAILER-DAEMON@mx.kunde.example"
_POSTMASTER: Final = "postmaster@kunde.example"

NOTICES: Final = (
    Notice(
        "qmail", _DAEMON, "failure notice",
        f"""
        Hi. This is the qmail-send program at mx.kunde.example.
        I'm afraid I wasn't able to deliver your message to the following addresses.
        This is a permanent error; I've given up. Sorry it didn't work out.

        <{GONE}>:
        Sorry, no mailbox here by that name. (#5.1.1)

        --- Below this line is a copy of the message.

        {_COPY}""",
        "5.1.1", fields="Return-Path: <>",
    ),
    Notice(
        "qmail that waited", _DAEMON, "failure notice",
        f"""
        Hi. This is the qmail-send program at mx.kunde.example.

        <{GONE}>:
        CNAME lookup failed temporarily. (#4.4.3)
        I'm not going to try again; this message has been in the queue too long.

        --- Below this line is a copy of the message.

        {_COPY}""",
        "4.4.3",
    ),
    Notice(
        "Exim", "Mail Delivery System <Mailer-Daemon@mx.kunde.example>", "Mail delivery failed: returning message to sender",
        f"""
        This message was created automatically by mail delivery software.

        A message that you sent could not be delivered to one or more of its
        recipients. This is a permanent error. The following address(es) failed:

          {GONE}
            host mx.kunde.example [192.0.2.9]
            SMTP error from remote mail server after RCPT TO:<{GONE}>:
            550 5.1.1 Unknown mailbox

        ------ This is a copy of the message, including all the headers. ------

        {_COPY}""",
        "5.1.1", "550", fields=f"X-Failed-Recipients: {GONE}\nAuto-Submitted: auto-replied\nReturn-Path: <>",
    ),
    Notice(
        "Exim that goes on trying", "Mail Delivery System <Mailer-Daemon@mx.kunde.example>", "Warning: message 1a2B3c-000 delayed 24 hours",
        f"""
        This message was created automatically by mail delivery software.
        A message that you sent has not yet been delivered to one or more of its
        recipients after more than 24 hours on the queue on mx.kunde.example.

        The message identifier is:     1a2B3c-000Xyz-Ab
        The address to which the message has not yet been delivered is:

          {GONE}
            Delay reason: SMTP error from remote mail server: 451 4.7.1 Greylisted

        No action is required on your part. Delivery attempts will continue for
        some time.
        """,
        "4.7.1", "451", delayed=True, fields="Auto-Submitted: auto-replied", about=False,
    ),
    Notice(
        "Postfix without a report", "MAILER-DAEMON@mx.kunde.example (Mail Delivery System)", "Undelivered Mail Returned to Sender",
        f"""
        This is the mail system at host mx.kunde.example.

        I'm sorry to have to inform you that your message could not
        be delivered to one or more recipients. It's attached below.

        For further assistance, please send mail to postmaster.

        <{GONE}>: host mail.kunde.example[192.0.2.4] said: 552 5.2.2 Mailbox full (in
            reply to RCPT TO command)

        {_COPY}""",
        "5.2.2", "552",
    ),
    Notice(
        "Sendmail of old", "Mail Delivery Subsystem <MAILER-DAEMON@mx.kunde.example>", "Returned mail: User unknown",
        f"""
        The original message was received at Mon, 23 Nov 2026 09:00:00 +0100
        from desk.example [192.0.2.1]

           ----- The following addresses had permanent fatal errors -----
        <{GONE}>

           ----- Transcript of session follows -----
        ... while talking to mail.kunde.example.:
        >>> RCPT To:<{GONE}>
        <<< 550 <{GONE}>... User unknown
        550 <{GONE}>... User unknown

           ----- Original message follows -----

        {_COPY}""",
        "", "550",
    ),
    Notice(
        "Sendmail that goes on trying", "Mail Delivery Subsystem <MAILER-DAEMON@mx.kunde.example>",
        "Warning: could not send message for past 4 hours",
        f"""
            **********************************************
            **      THIS IS A WARNING MESSAGE ONLY      **
            **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **
            **********************************************

           ----- Transcript of session follows -----
        <{GONE}>... Deferred: Connection refused by mail.kunde.example.
        Warning: message still undelivered after 4 hours
        Will keep trying until message is 5 days old
        """,
        delayed=True, about=False,
    ),
    Notice(
        "Courier", _POSTMASTER, "NOTICE: mail delivery status.",
        f"""
        This is a delivery status notification from mx.kunde.example,
        running the Courier mail server, version 1.0.

                                   UNDELIVERABLE MAIL

        Your message to the following recipients cannot be delivered:

        <{GONE}>:
            mail.kunde.example [192.0.2.4]:
        >>> RCPT TO:<{GONE}>
        <<< 554 5.7.1 Relay access denied

        {_COPY}""",
        "5.7.1", "554",
    ),
    Notice(
        "Exchange 5.5", f"System Administrator <{_POSTMASTER}>", "Undeliverable: Your printer",
        f"""
        Your message

          To:      {GONE}
          Subject: Your printer
          Sent:    Mon, 23 Nov 2026 09:00:00 +0100

        did not reach the following recipient(s):

        {GONE} on Mon, 23 Nov 2026 09:00:02 +0100
            The recipient name is not recognized
            MSEXCH:IMS:Kunde:MAIN:MX1 0 (000C05A6) Unknown Recipient
        """,
        about=False,
    ),
    Notice(
        "Exchange 2003", f"System Administrator <{_POSTMASTER}>", "Undeliverable:Your printer",
        f"""
        Your message did not reach some or all of the intended recipients.

              Subject: Your printer
              Sent: 23.11.2026 09:00

        The following recipient(s) could not be reached:

              {GONE} on 23.11.2026 09:00
                    The e-mail account does not exist at the organization this message was sent to.
                    <mx1.kunde.example #5.1.1>
        """,
        "5.1.1", fields="Return-Path: <>", about=False,
    ),
    Notice(
        "Exchange Online without a report", f"<{_POSTMASTER}>", "Unzustellbar: Ihr Drucker",
        f"""
        Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:

        {GONE}<mailto:{GONE}>
        Die eingegebene E-Mail-Adresse wurde nicht gefunden.

        Diagnoseinformationen für Administratoren:

        Generierender Server: AB1.prod.outlook.example

        {GONE}
        Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found'

        Original message headers:

        {_COPY}""",
        "5.1.10", "550",
    ),
    Notice(
        "Domino", "Postmaster@kunde.example", "DELIVERY FAILURE: User gone not listed in Domino Directory",
        f"""
        Your message

          Subject: Your printer

        was not delivered to:

          {GONE}

        because:

          User gone ({GONE}) not listed in Domino Directory
        """,
        about=False,
    ),
    Notice(
        "Notes", _POSTMASTER, "Undeliverable message",
        f"""
        ------- Failure Reasons  --------

        User not listed in public Name & Address Book
        {GONE}

        ------- Returned Message --------

        {_COPY}""",
        fields="Return-Path: <>",
    ),
    Notice(
        "GroupWise", "Mailer-Daemon@kunde.example", "Message status - undeliverable",
        f"""
        The message that you sent was undeliverable to the following:
          {GONE} (user not found)

        Possibly truncated original message follows:

        {_COPY}""",
    ),
    Notice(
        "IMail", f'"Postmaster" <{_POSTMASTER}>', " Undeliverable Mail",
        f"""
        Unknown user: {GONE}

        Original message follows.

        {_COPY}""",
        fields="X-Mailer: <SMTP32 v8.22>",
    ),
    Notice(
        "MailEnable", '"Delivery Subsystem" <POSTMASTER@kunde.example>', "Message Delivery Failure",
        f"""
        MailEnable: Message could not be delivered to some recipients.
        The following recipient(s) could not be reached:

          Recipient: [SMTP:{GONE}]
          Reason: Remote SMTP Server Returned: 550 No such mailbox here.

        Message headers follow:

        {_COPY}""",
        "", "550",
    ),
    Notice(
        "MDaemon", "MDaemon at mx.kunde.example <MDaemon@mx.kunde.example>", "Permanent Delivery Failure",
        f"""
        The attached message had PERMANENT fatal delivery errors!

        After one or more unsuccessful delivery attempts the attached message has
        been removed from the mail queue on this server.

        THIS MESSAGE WILL NOT BE RETRIED!

        Failed address: {GONE}

        --- Session Transcript ---
         <-- 550 5.1.1 <{GONE}>, Recipient unknown
        --- End Transcript ---
        """,
        "5.1.1", "550", about=False,
    ),
    Notice(
        "hMailServer", "mailer-daemon@mx.kunde.example", "Message undeliverable: Your printer",
        f"""
        Your message did not reach some or all of the intended recipients.

           Sent: Mon, 23 Nov 2026 09:00:00 +0100
           Subject: Your printer

        The following recipient(s) could not be reached:

        {GONE}
           Error Type: SMTP
           Remote server (192.0.2.4) issued an error.
           Remote server replied: 550 Unknown user

        hMailServer
        """,
        "", "550", about=False,
    ),
    Notice(
        "Yahoo", "MAILER-DAEMON@yahoo.example", "Failure Notice",
        f"""
        Sorry, we were unable to deliver your message to the following address.

        <{GONE}>:
        554: 5.7.9: Message not accepted for policy reasons.

        --- Below this line is a copy of the message.

        {_COPY}""",
        "5.7.9",
        "554",
    ),
    Notice(
        "Gmail", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)",
        f"""
        This is an automatically generated Delivery Status Notification

        THIS IS A WARNING MESSAGE ONLY.

        YOU DO NOT NEED TO RESEND YOUR MESSAGE.

        Delivery to the following recipient has been delayed:

             {GONE}

        Message will be retried for 2 more day(s)

        ----- Original message -----

        {_COPY}""",
        delayed=True, fields="Return-Path: <>",
    ),
    Notice(
        "Gmail that gave up", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)",
        f"""
        Delivery to the following recipient failed permanently:

             {GONE}

        Technical details of permanent failure:
        Google tried to deliver your message, but it was rejected by the server for the recipient domain kunde.example.

        The error that the other server returned was:
        550 5.2.1 The mailbox is disabled

        ----- Original message -----

        {_COPY}""",
        "5.2.1", "550", fields=f"X-Failed-Recipients: {GONE}\nReturn-Path: <>",
    ),
    Notice(
        "Verizon", "MMSC NDR Administrator <sysadmin@m01.kunde.example>", "Undeliverable Message",
        f"""
        Message could not be delivered to mobile.
        Error: No valid recipients for this MM

        Original Message:
        From: Desk <{OURS}>
        To: {GONE}
        Subject: Your printer
        """,
        fields="Return-Path: <>", about=False,
    ),
    Notice(
        "ezweb", "<Postmaster@ezweb.example>", "Mail System Error - Returned Mail",
        f"""
        <{GONE}>

        Each of the following recipients was rejected by a remote mail server.
        ---------------------------------------------------
        {_COPY}""",
        fields="Return-Path: <MAILER-DAEMON>",
    ),
    Notice(
        "DragonFly", "MAILER-DAEMON <>", "Mail delivery failed",
        f"""
        This is the DragonFly Mail Agent v0.13 at mx.kunde.example.

        There was an error delivering your mail to <{GONE}>.

        mail.kunde.example [192.0.2.4] did not like our RCPT TO:
        550 5.1.1 No such user

        Message headers follow.

        {_COPY}""",
        "5.1.1", "550",
    ),
    Notice(
        "OpenSMTPD", "Mailer Daemon <MAILER-DAEMON@mx.kunde.example>", "Delivery status notification: failed",
        f"""
            Hi!

            This is the MAILER-DAEMON, please DO NOT REPLY to this email.

            An error has occurred while attempting to deliver a message for
            the following list of recipients:

        {GONE}: 550 5.1.1 Address does not exist

            Below is a copy of the original message:

        {_COPY}""",
        "5.1.1", "550",
    ),
    Notice(
        "Amazon SES", "MAILER-DAEMON@amazonses.example", "Delivery Status Notification (Failure)",
        f"""
        An error occurred while trying to deliver the mail to the following recipients:
        {GONE}
        """,
        fields="Return-Path: <>", about=False,
    ),
    Notice(
        "a list server's gateway", "postmaster@lists.kunde.example", "Delivery failure (gone)",
        f"""
        Your message has encountered delivery problems
        to the following recipient(s):

        {GONE}
        Delivery failed
        550 5.1.1 unknown

        {_COPY}""",
        "5.1.1", "550", fields="Precedence: bulk\nList-Id: <staff.lists.kunde.example>",
    ),
    Notice(
        "an Italian provider", "mailer-daemon@posta.example", "Messaggio non consegnato",
        f"""
        Impossibile recapitare il messaggio a {GONE}

        Motivo: 550 5.1.1 utente sconosciuto

        --- Messaggio originale ---

        {_COPY}""",
        "5.1.1", "550",
    ),
    Notice(
        "a Russian provider", "mailer-daemon@corp.example", "Недоставленное сообщение",
        f"""
        Это письмо создано автоматически сервером.
        К сожалению, Ваше письмо не может быть доставлено:

        <{GONE}>: 550 5.1.1 user not found

        {_COPY}""",
        "5.1.1", "550",
    ),
    Notice(
        "a Chinese provider", "Postmaster@mail.example", "系统退信",
        f"""
        抱歉,您的邮件被退回来了……

        收件人:
        {GONE}

        退信原因:
        550 User not found

        原邮件信息

        {_COPY}""",
        "", "550",
    ),
    Notice(
        "a Japanese provider", "no-reply@mobile.example", "メールエラー通知",
        f"""
        送信先のメールボックスが一杯のため送信できませんでした。

        Your mail sent on: Mon, 23 Nov 2026 09:00:00 +0900
             Could not be delivered to: <{GONE}>
             As their mailbox is full.
        """,
        fields="Return-Path: <>", about=False,
    ),
    Notice(
        "a French provider", "MAILER-DAEMON@orange.example", "Message non remis",
        f"""
        Votre message n'a pas pu être remis à {GONE}.

        550 5.5.0 Adresse inconnue
        """,
        "5.5.0", "550", fields="Return-Path: <>", about=False,
    ),
)  # fmt: skip
