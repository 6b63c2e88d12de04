"""What an installation of an earlier release has in its tickets database: one conversation, answered, and what stands around it.

`ROWS` names each revision that was ever released; a new migration adds its own, with the columns it brought filled.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = """
insert into scanners (scanner_id, version, name, address, folded)
    values ('s1', 1, 'Support', 'help@company.example', 'help@company.example');
insert into contacts (id, name) values ('c1', 'Anna Keller');
insert into contact_addresses (folded, contact_id, address) values ('anna@customer.example', 'c1', 'Anna@customer.example');
insert into tickets (title, folded_title, description, status, source, scanner_id, sender, sender_folded, recipients, contact_id) values
    ('The printer is on fire', 'the printer is on fire', 'It burns.', 'waiting', 'mail', 's1', 'anna@customer.example',
     'anna@customer.example', '{help@company.example}', 'c1'),
    ('Win a car', 'win a car', 'Now!', 'open', 'mail', 's1', 'win@lottery.example', 'win@lottery.example', '{help@company.example}', null);
update tickets set deleted_at = now(), deleted_reason = 'spam' where id = 2;
insert into messages
    (id, ticket_id, kind, direction, sender, sender_name, recipients, text, html, mail_id, message_id, received_at, order_id) values
    ('m1', 1, 'mail', 'in', 'anna@customer.example', 'Anna Keller', '[{"name": "", "address": "help@company.example"}]', 'It burns.',
     '<p>It burns.</p>', 'mail-1', '<one@customer.example>', '2026-11-01 12:00+00', 'mail-1'),
    ('m3', 2, 'mail', 'in', 'win@lottery.example', '', '[]', 'Now!', null, 'mail-2', '<win@lottery.example>', '2026-11-01 12:05+00',
     'mail-2');
insert into messages (id, ticket_id, kind, direction, sender, recipients, text, message_id, in_reply_to, received_at, order_id, author)
    values ('m2', 1, 'comment', 'out', 'user:olga@company.example', '[{"name": "", "address": "anna@customer.example"}]', 'We come.',
            '<ours@company.example>', '{<one@customer.example>}', '2026-11-01 13:00+00', 'm2', 'user:olga@company.example');
insert into message_ids (message_id, ticket_id, scanner_id, origin) values
    ('<one@customer.example>', 1, 's1', 'mail'), ('<ours@company.example>', 1, 's1', 'ours'), ('<win@lottery.example>', 2, 's1', 'mail');
insert into participants (ticket_id, address) values (1, 'anna@customer.example'), (2, 'win@lottery.example');
insert into attachments (id, ticket_id, message_id, archive_key, part, name, type, size, sha256)
    values ('a1', 1, 'm1', 's1/2026-11/mail-1.eml.zst', '2', 'fire.jpg', 'image/jpeg', 7, 'x');
insert into mails (mail_id, run, revision, type, ticket_id, rule_id, rule_name, scanner_id, sender_folded, archive_key, received_at, at)
    values
    ('mail-1', 1, 1, 'ticket', 1, 'r1', 'Everything', 's1', 'anna@customer.example', 's1/2026-11/mail-1.eml.zst',
     '2026-11-01 12:00+00', now()),
    ('mail-2', 1, 2, 'spam', 2, 'r1', 'Everything', 's1', 'win@lottery.example', 's1/2026-11/mail-2.eml.zst', '2026-11-01 12:05+00', now());
update mails set prior_type = 'ticket' where mail_id = 'mail-2';
insert into spam_senders (id, address, folded, created_by, hits) values
    ('s1', 'win@lottery.example', 'win@lottery.example', 'user:olga@company.example', 3);
insert into outgoing (message_id, ticket_id, body, waiting, sent_at) values ('m2', 1, '{}', false, now());
insert into deliveries (message_id, recipient, state, sequence, at) values ('m2', 'anna@customer.example', 'sent', 2, now());
insert into jobs (id, kind, actor, state, done, total, input, result)
    values ('tickets-j1', 'spam', 'user:olga', 'done', 1, 1, '{"ticket_ids": [2]}', '{"spammed": 1, "skipped": [], "addresses": []}');
"""
SECOND: Final = """
update tickets set assignee = 'olga@company.example', tags = '{fire,printer}' where id = 1;
update messages set folds = '[{"kind": "signature", "start": 2, "end": 9}]' where id = 'm1';
insert into mails (mail_id, run, revision, type, scanner_id, sender_folded, received_at, at, record_type, record_id)
    values ('mail-3', 1, 1, 'link', 's1', 'anna@customer.example', '2026-11-02 12:00+00', now(), 'contact', 'c1');
"""
THIRD: Final = """
update contacts set folded_name = 'anna keller', words = 'anna keller anna@customer.example' where id = 'c1';
insert into contacts (id, type, name, folded_name, words) values ('l1', 'lead', 'Bo', 'bo', 'bo bo@firm.example');
insert into contact_addresses (type, folded, contact_id, address) values ('lead', 'bo@firm.example', 'l1', 'bo@firm.example');
insert into watchers (ticket_id, folded, address) values (1, 'bo@firm.example', 'bo@firm.example');
insert into ticket_changes (ticket_id, at, actor, type, changes) values
    (1, now(), 'user:olga@company.example', 'updated', '[{"field": "status", "before": "open", "after": "waiting"}]');
insert into desk_settings (name, value) values ('status_names', '{"open": "New"}');
"""
FOURTH: Final = """
insert into erased (erasure_id, digest, before, done_at) values ('e1', 'x', '2026-11-01 12:00+00', now());
"""
FIFTH: Final = """
update messages set mode = 'info', undo_until = '2026-11-01 13:00:10+00' where id = 'm2';
insert into drafts (ticket_id, actor, body, mode) values (1, 'user:olga@company.example', 'We are', 'info');
insert into uploads (id, ticket_id, actor, archive_key, name, type, size, sha256)
    values ('u1', 1, 'user:olga@company.example', 'uploads/2026-11/u1', 'bill.pdf', 'application/pdf', 7, 'x');
"""
SIXTH: Final = """
update message_ids set answer_id = 'm2' where message_id = '<ours@company.example>';
update deliveries set flagged = true where message_id = 'm2';
update tickets set attention = 'anna@customer.example did not get the answer' where id = 1;
insert into automatic_mails (id, recipient, scanner_id, at) values ('m2', 'anna@customer.example', 's1', now());
"""
ROWS: Final = {
    "0001": FIRST,
    "0002": FIRST + SECOND,
    "0003": FIRST + SECOND + THIRD,
    "0004": FIRST + SECOND + THIRD + FOURTH,
    "0005": FIRST + SECOND + THIRD + FOURTH + FIFTH,
    "0006": FIRST + SECOND + THIRD + FOURTH + FIFTH + SIXTH,
}
