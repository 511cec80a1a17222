"""Experiments: treated members against those held out, with what can honestly be said of it.

Pure statistics: normal, intervals, shares, means, the sample-ratio check, and the comparison that
puts them into words. Refuses to read anything, and to show a result that assignment or too few
members do not bear.
"""
