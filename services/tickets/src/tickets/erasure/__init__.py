"""Erasure of all that is kept about an address.

`requests`: what is asked for and reported; `steps`: this service's own part; `refusing`: what is refused from then on.

What is meant by "all that is kept":

- Mails *from* the address, received until the erasure was asked for, go whole: bytes, texts, subject, attachments, names, Message-IDs. What
  stays of each is that it came, and its outcome. So do bounces and receipts about answers to the address.
- In other people's mails that name it among their people, the address and its name are replaced; texts and bytes stay as they are: they
  are those people's mails.
- Tickets the person opened keep number, status, dates and history; title, description and everybody's view of who it was go. What we wrote
  to the person stays as ours, without recipient, quoted text or subject.
- Files that operators uploaded on those tickets, and files of any answer that named the person, go with their bytes; so do drafts on those
  tickets. In other drafts the address is replaced.
- The registry: the address goes, a contact or lead that has no other address goes with it. An account stays: it is a company.
- The spam list: an entry of the address is removed, too; mails the person sends later are ordinary mails again.
- A plus tag makes another address: each is erased by itself.

What the person writes later is ordinary.
"""
