"""Repairing what can be repaired: remedies become a plan, the plan becomes steps, and a journal lets all of
it be undone.
"""
