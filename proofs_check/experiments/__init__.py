"""Experiments of the documents, run again: their claims are judged, which is no check of a formula.

They are registered and run as the checks are; what they find is ``reproduced``, ``undecided`` or ``not
reproduced``, by the verdicts on each claim.
"""
