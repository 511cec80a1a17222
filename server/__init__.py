"""The composition root: the application, its access table, the command line, health, the worker.

The only package that knows all the others. Decides nothing itself.
"""
