"""Tells people of alarms of priority 1 and 2: webhooks and mail, each at least once.

An own process, so that a question to the API never keeps anybody from being woken.
What is sent is what the journal holds; nothing is decided here.
"""
