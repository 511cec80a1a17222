"""Experiments: treated members against those held out, with what can honestly be said of it."""
