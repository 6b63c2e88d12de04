"""Webhooks: changes of tickets told to other systems, signed as Standard Webhooks (https://www.standardwebhooks.com).

`events` writes what is to be told, in the transaction that reads the event; `sender` tells it, when it is due; `calling` is the HTTP
request, to addresses of the internet only. Each change is told at least once, in no promised order.
"""
