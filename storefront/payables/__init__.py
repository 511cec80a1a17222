"""Payables over HTTP: cash that is owed, listed and exported. Owns how what is owed follows its
source, and exports; refuses to pay anybody.
"""
