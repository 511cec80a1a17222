"""The rule language: which facts exist, what a condition may say about them, whether it holds.

Pure: values in, values out. It refuses the database, the clock, chance and every third-party
import; the words of the domain reach it as declared facts.
"""
