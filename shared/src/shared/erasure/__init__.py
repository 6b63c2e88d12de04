"""Erasure of all that is kept about an address (design section 7): what every service needs alike to carry its part out.

`person` finds the address in texts, `tables` keeps which erasures there are, `refusals` asks whether a mail is one of those removed,
`eraser` carries a service's part out in bounded steps and reports, `messages` frees inbox, outbox and dead letters.
"""
